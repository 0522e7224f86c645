//! What the README and the example show is what runs.

use etcd_config::Settings;

const README: &str = include_str!("../../README.md");

/// The first block of this language in the section on configuration.
fn block(language: &str) -> &'static str {
    let (_, section) = README.split_once("## Configuration\n").expect("a section");
    let (_, block) = section
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    block.split_once("```\n").expect("its end").0
}

#[test]
fn the_readme_prints_the_example() {
    let example = include_str!("../examples/settings.rs");
    let body = example.split_once("    let file").expect("the body").1;
    let body = body.split_once("    println!").expect("its end").0;
    let program: String = format!("    let file{body}")
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n")
        .collect();
    assert!(block("rust,ignore").contains(&program), "{program}");
}

#[test]
fn the_file_in_the_readme_is_one() {
    let file = Settings::from_toml(block("toml")).unwrap();
    let password = Settings::from_vars([("ETCDCTL_PASSWORD", "swordfish")]).unwrap();
    let config = password.or(file).config().unwrap();
    assert_eq!(config.endpoints.len(), 2);
    assert_eq!(config.limits.watches, 200);
}

#[test]
fn the_error_in_the_readme_is_the_one_that_comes() {
    let error = Settings::from_json(r#"{"read_timout": "5s"}"#).unwrap_err();
    assert!(README.contains(&format!("`{error}`")), "{error}");
}
