//! An answer that is made once and sent many times.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, ETAG, Encoding, EntityTag,
    Header, IF_NONE_MATCH, IfNoneMatch, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use domain::Result;
use domain::id::hex;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

/// Larger answers are made anew each time rather than kept in memory.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Keeps one JSON answer, plain and compressed, as long as it is good: of what generation it is, says a number
/// or several.
#[derive(Default)]
pub struct Kept<G = u64>(Mutex<Option<(Mark<G>, Arc<Encoded>)>>);

struct Mark<G> {
    generation: G,
    at: Instant,
}

/// A JSON answer as it is sent.
pub struct Encoded {
    plain: Bytes,
    gzip: Bytes,
    tag: EntityTag,
}

impl<G: PartialEq> Kept<G> {
    /// The kept answer, if it is of this generation and not older than `good_for`; else what `make`
    /// makes. Whoever asks meanwhile waits for it.
    pub async fn get_or_make(
        &self,
        generation: G,
        good_for: Duration,
        make: impl AsyncFnOnce() -> Result<Vec<u8>>,
    ) -> Result<Arc<Encoded>> {
        let mut kept = self.0.lock().await;
        if let Some((mark, encoded)) = kept.as_ref()
            && mark.generation == generation
            && mark.at.elapsed() < good_for
        {
            return Ok(encoded.clone());
        }
        let mark = Mark { generation, at: Instant::now() };
        let plain = make().await?;
        // Often nothing has changed; then nothing needs to be compressed again.
        let former = kept.take().map(|(_, encoded)| encoded);
        let encoded = match former.filter(|former| former.plain == plain) {
            Some(same) => same,
            None => Arc::new(Encoded::new(plain)?),
        };
        if encoded.plain.len() <= MAX_BYTES {
            *kept = Some((mark, encoded.clone()));
        }
        Ok(encoded)
    }
}

impl Encoded {
    fn new(plain: Vec<u8>) -> Result<Self> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let compressed = gzip.write_all(&plain).and_then(|()| gzip.finish());
        let gzip = compressed.map_err(domain::Error::internal)?.into();
        // Weak, because the same tag stands for both encodings.
        let digest = Sha256::digest(&plain);
        let tag = EntityTag::new_weak(hex(digest.get(..12).unwrap_or_default()));
        Ok(Self { plain: plain.into(), gzip, tag })
    }

    /// 304 to whoever has it already, else 200 in an encoding that they accept.
    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let is_known = self.is_known_to(request);
        let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = HttpResponse::build(status);
        response
            .insert_header((ETAG, self.tag.to_string()))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((VARY, ACCEPT_ENCODING.as_str()));
        if is_known {
            return response.finish();
        }
        let (encoding, body) =
            if accepts_gzip(request) { ("gzip", &self.gzip) } else { ("identity", &self.plain) };
        response.content_type("application/json");
        response.insert_header((CONTENT_ENCODING, encoding)).body(body.clone())
    }

    fn is_known_to(&self, request: &HttpRequest) -> bool {
        if !request.headers().contains_key(IF_NONE_MATCH) {
            return false;
        }
        match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        }
    }
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    let ours = [Encoding::gzip(), Encoding::identity()];
    let accepted = request.get_header::<AcceptEncoding>();
    accepted.and_then(|accepted| accepted.negotiate(ours.iter())) == Some(Encoding::gzip())
}
