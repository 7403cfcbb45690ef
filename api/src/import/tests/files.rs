use super::*;

const HEADER: &str =
    "external_id,country,city,cpu_model,cpu_cores,ram_gb,ram_type,disks,bandwidth_mbps,traffic_tb";

fn failure(text: &str, format: Format) -> String {
    parse(text, format).unwrap_err().to_string()
}

/// Reads bytes from a file of its own.
fn read_bytes(name: &str, bytes: &[u8]) -> Result<Vec<Row>, ImportError> {
    let path = std::env::temp_dir().join(format!("berth-import-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let rows = read(&path);
    std::fs::remove_file(&path).unwrap();
    rows
}

#[test]
fn the_name_of_a_file_tells_its_format() {
    assert_eq!(read_bytes("a.JSON", DEMO.as_bytes()).unwrap().len(), 1_173);
    assert_eq!(read_bytes("a.csv", HEADER.as_bytes()).unwrap(), []);
    assert!(matches!(read(Path::new("servers.xlsx")), Err(ImportError::UnknownFormat { .. })));
    assert!(matches!(read(Path::new("json")), Err(ImportError::UnknownFormat { .. })));
    let missing = read(Path::new("/nowhere/servers.json")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read /nowhere/servers.json: "), "{missing}");
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let fault = read_bytes("bytes.csv", b"a,b\nc\n\xff\xfe").unwrap_err();
    assert_eq!(fault.to_string(), "line 3: the file is not UTF-8 text");
}

#[test]
fn a_huge_file_is_refused() {
    let path = std::env::temp_dir().join(format!("berth-import-{}-huge.json", std::process::id()));
    File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    let outcome = read(&path);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(outcome, Err(ImportError::TooLarge)), "{outcome:?}");
}

#[test]
fn text_that_is_no_json_array_is_refused_with_its_line() {
    let cases = [
        ("", "line 1: not a JSON array of servers: it must be one array, [ {…}, {…} ]"),
        ("\n{}", "line 2: not a JSON array of servers: it must be one array, [ {…}, {…} ]"),
        ("[] []", "line 1: not a JSON array of servers: it must be one array, [ {…}, {…} ]"),
        ("[{},\n\n", "line 3: not a JSON array of servers: the array is not closed"),
        ("[{},\n]", "line 2: not a JSON array of servers: expected value"),
        (
            "[{}\n\n{}]",
            "line 3: not a JSON array of servers: a comma, or the array's closing bracket, is missing before this",
        ),
        ("[\n{\n\"a\": 1,\n\"b\" 2}]", "line 4: not a JSON array of servers: expected `:`"),
        (
            "[{\"a\": \"\n\"}]",
            "line 1: not a JSON array of servers: control character (\\u0000-\\u001F) found while parsing a string",
        ),
    ];
    for (text, fault) in cases {
        assert_eq!(failure(text, Format::Json), fault, "{text}");
    }
    assert!(failure(&"[".repeat(1_000_000), Format::Json).contains("EOF"));
}

#[test]
fn an_element_that_is_no_object_is_a_fault_of_its_row() {
    let text = "[\n  7, \"x\"\n, {\"a\": 1,\n\"a\": 2},\n[[]]]";
    let rows = faults(text, Format::Json);
    let lines: Vec<usize> = rows.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 2, 3, 5]);
    assert_eq!(rows[0].1, owned(&["must be a server as an object"]));
    assert_eq!(rows[2].1, owned(&["a: is given twice (line 4)"]));
    let deep = format!("[{{\"a\": {}1{}}}]", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(faults(&deep, Format::Json), [(1, owned(&["recursion limit exceeded"]))]);
}

#[test]
fn the_header_of_a_sheet_is_checked_column_by_column() {
    assert_eq!(
        failure("", Format::Csv),
        "line 1: the file is empty; its first line must name the columns"
    );
    let bad = HEADER.replace("city", "town").replace("ram_gb", "cpu_cores");
    assert_eq!(
        failure(&format!("\n{bad},price_7days,price_07d,prices\n"), Format::Csv),
        "line 2: there is no column `town`; the column `cpu_cores` is there twice; \
         there is no column `price_7days`; there is no column `price_07d`; \
         there is no column `prices`; the column `city` is missing; the column `ram_gb` is missing"
    );
    assert_eq!(
        failure(&HEADER.replace(',', ";"), Format::Csv),
        "line 1: there is no column `external_id;country;city;cpu_model;cpu_c…`; \
         the first line must name the columns, separated by commas"
    );
    assert!(failure(&"\u{1}garbage,".repeat(100_000), Format::Csv).len() < 2_000);
}

#[test]
fn the_lines_of_a_sheet_are_those_of_the_file() {
    for end in ["\n", "\r\n"] {
        let good = |id: &str| format!("{id},DE,Berlin,X,4,16,DDR4,1x500 SSD,1000,5");
        let quoted = good("two").replace("Berlin", "\"Ber\nlin\"");
        let lines = [
            &format!("\u{feff}{HEADER}"),
            "",
            &good("one"),
            &quoted,
            ",,,,,,,,,",
            &good("three").replace(",16,", ",lots,"),
            "four,DE",
        ];
        let rows = parse(&lines.join(end), Format::Csv).unwrap();
        let told: Vec<(usize, bool)> = rows.iter().map(|r| (r.line, r.outcome.is_ok())).collect();
        assert_eq!(told, [(3, true), (4, false), (7, false), (8, false)]);
        let reasons: Vec<&Vec<String>> =
            rows.iter().filter_map(|row| row.outcome.as_ref().err()).collect();
        assert_eq!(reasons[0][0], "city: must not contain line breaks or other control characters");
        assert_eq!(
            reasons[1][0],
            "ram_gb: must be a whole number of at most 1000000000, not `lots`"
        );
        assert_eq!(
            reasons[2][0],
            "the row has 2 cells for 10 columns (is a quote or comma missing?)"
        );
    }
}
