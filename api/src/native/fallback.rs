//! Answers for paths that do not exist, and for methods that a path does not have.

use actix_web::HttpRequest;
use actix_web::web::Data;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;

use super::error::Failure;

/// Paths outside of the document; each takes GET.
const OTHERS: [&str; 3] = [super::DOCUMENT_PATH, "/healthz", "/readyz"];

/// 404, or 405 with the methods that the path has.
pub async fn answer(request: HttpRequest, document: Data<OpenApi>) -> Result<String, Failure> {
    let path = request.path();
    let known = document.paths.paths.iter();
    let mut methods: Vec<&str> = known
        .filter(|(template, _)| matches(template, path))
        .flat_map(|(_, item)| methods(item))
        .chain(OTHERS.contains(&path).then_some("GET"))
        .collect();
    // Templates that shadow each other share methods.
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() {
        Err(Failure::NoRoute)
    } else {
        Err(Failure::Method { allowed: methods.join(", ") })
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(t), Some(p)) if t == p || (t.starts_with('{') && !p.is_empty()) => {}
            _ => return false,
        }
    }
}

fn methods(item: &PathItem) -> impl Iterator<Item = &'static str> {
    [
        ("GET", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, has)| has.then_some(name))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_template_matches_whole_segments() {
        assert!(matches("/pools/{id}/members", "/pools/5/members"));
        assert!(!matches("/pools/{id}", "/pools/"));
        assert!(!matches("/pools/{id}", "/pools/5/members"));
        assert!(!matches("/pools", "/servers"));
    }
}
