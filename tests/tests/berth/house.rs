//! The rules of the house that a compiler does not hold: who depends on whom, how long a file is,
//! and how wide.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 6] = ["domain", "persistence", "migration", "api", "outbound", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names of a crate's dependencies, those of its own tests and builds included.
fn dependencies(of: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(of).join("Cargo.toml")).unwrap();
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.trim_end_matches(']').ends_with("dependencies");
            assert!(!line.contains("dependencies."), "{of}: write `{line}` in one line");
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap();
            names.insert(name.to_owned());
            assert!(!line.contains("package"), "{of}: {name} is renamed, which hides what it is");
        }
    }
    assert!(!names.is_empty(), "{of}: no dependencies were found in its Cargo.toml");
    names
}

fn ours(of: &str) -> Vec<String> {
    let ours = |name: &String| CRATES.contains(&name.as_str());
    dependencies(of).into_iter().filter(ours).collect()
}

/// Every file below a folder with one of these endings, without what was built.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        endings.iter().any(|ending| name.ends_with(ending))
    };
    all_files(folder).into_iter().filter(is_wanted).collect()
}

/// Files whose name has no ending and whose first line names what runs them, such as `check`.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let is_script =
        |path: &PathBuf| path.extension().is_none() && fs::read(path).unwrap().starts_with(b"#!");
    all_files(folder).into_iter().filter(is_script).collect()
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_file() {
            found.push(path);
        } else if path.is_dir() && name != "target" && (!name.starts_with('.') || name == ".ci") {
            found.extend(all_files(&path));
        }
    }
    found
}

#[test]
fn the_workspace_has_the_crates_that_these_rules_know() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members")).unwrap();
    let members: BTreeSet<_> = members.split('"').skip(1).step_by(2).collect();
    assert_eq!(members, BTreeSet::from(CRATES));
}

#[test]
fn the_domain_depends_on_no_input_or_output() {
    let all = dependencies("domain");
    let foreign = ["actix", "sea-", "sqlx", "tokio", "reqwest", "rand", "getrandom", "hyper"];
    for name in &all {
        let is_foreign = foreign.iter().any(|start| name.starts_with(start));
        assert!(!is_foreign, "domain depends on {name}");
    }
    assert_eq!(ours("domain"), Vec::<String>::new());
}

#[test]
fn each_crate_of_ours_knows_only_those_it_may() {
    assert_eq!(ours("outbound"), ["domain"]);
    assert_eq!(ours("persistence"), ["domain", "migration"]);
    assert_eq!(ours("migration"), Vec::<String>::new());
    assert_eq!(ours("api"), ["domain", "outbound", "persistence"]);
}

#[test]
fn each_big_library_stays_in_its_crates() {
    for (start, homes) in [
        ("sea-orm", &["persistence", "migration", "tests"][..]),
        ("sqlx", &[]),
        ("actix", &["api", "tests"]),
        ("utoipa", &["api"]),
        ("argon2", &["api"]),
        ("chacha20poly1305", &["api"]),
        ("jsonwebtoken", &["api"]),
        ("bollard", &["outbound"]),
        ("russh", &["outbound"]),
    ] {
        for of in CRATES.iter().filter(|of| !homes.contains(of)) {
            let found: Vec<_> =
                dependencies(of).into_iter().filter(|name| name.starts_with(start)).collect();
            assert!(found.is_empty(), "{of} depends on {found:?}");
        }
    }
}

#[test]
fn only_main_and_the_commands_know_what_stands_behind_a_port() {
    let adapters = ["outbound::", "SystemClock", "SystemRandom", "persistence::connect"];
    for path in files(&root().join("api/src"), &[".rs"]) {
        let is_wiring = ["commands", "main.rs", "system.rs"]
            .iter()
            .any(|part| path.components().any(|component| component.as_os_str() == *part));
        let text = fs::read_to_string(&path).unwrap();
        for adapter in adapters {
            assert!(is_wiring || !text.contains(adapter), "{} in {}", adapter, path.display());
        }
    }
}

/// What may be longer than 500 lines, and how much.
const LONG: [(&str, usize); 1] = [
    // Scripts have no modules: one file measures everything.
    ("bench/run", 550),
];

#[test]
fn no_file_has_more_than_500_lines() {
    let root = root();
    let sources = files(&root, &[".rs", ".sql", ".sh", ".py", ".lua"]);
    assert!(sources.len() > 100, "only {} sources were found", sources.len());
    let scripts = scripts(&root);
    for script in [
        "check",
        "bench/run",
        ".ci/run",
        ".ci/containers",
        "tests/containers/image",
        "tests/containers/ssh-host",
    ] {
        assert!(scripts.contains(&root.join(script)), "{script} was not found");
    }
    for path in sources.into_iter().chain(scripts) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let exception = LONG.iter().find(|(name, _)| root.join(name) == path);
        let most = exception.map_or(500, |(_, most)| *most);
        assert!(lines <= most, "{} has {lines} lines", path.display());
    }
}

/// rustfmt sees neither comments nor what stands inside of a macro's braces, and here most does.
#[test]
fn no_line_of_the_tests_is_wider_than_100_columns() {
    let sources = files(&root().join("tests"), &[".rs"]);
    assert!(sources.len() > 30, "only {} sources were found", sources.len());
    for path in sources {
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let width = line.chars().count();
            assert!(width <= 100, "{}:{} has {width} columns", path.display(), index + 1);
        }
    }
}

#[test]
fn the_domain_never_asks_what_time_it_is() {
    let sources = files(&root().join("domain"), &[".rs"]);
    assert!(sources.len() > 40, "only {} sources were found", sources.len());
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        for word in [
            "Utc::now",
            "Local::now",
            "SystemTime::now",
            "Instant::now",
            "std::env",
            "std::fs",
            "new_v4",
            "println!",
        ] {
            assert!(!text.contains(word), "{word} in {}", path.display());
        }
    }
}
