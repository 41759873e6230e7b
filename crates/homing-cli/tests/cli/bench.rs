//! Does the benchmark measure all it names?

use super::house::House;

#[test]
fn bench_call_prints_a_row_for_each_system_and_number_of_callers() {
    let house = House::new();
    let line = "bench call --concurrency 1,20 --duration 100ms --rounds 2 --json";
    let document = house.run(line).json();
    assert!(document["machine"].as_str().unwrap().contains(" × "));
    let rows = document["rows"].as_array().unwrap();
    let named: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {}", row["concurrency"], row["system"].as_str().unwrap()))
        .collect();
    assert_eq!(named, ["1 homing", "1 tcp", "1 unix", "20 homing", "20 tcp", "20 unix"]);
    for row in rows {
        assert_eq!(
            (&row["work"], &row["size"], &row["rounds"]),
            (&"call".into(), &128.into(), &2.into())
        );
        assert!(row["per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["p50_us"].as_f64() <= row["p999_us"].as_f64(), "{row}");
    }
}

#[test]
fn bench_call_prints_a_table_with_ratios() {
    let house = House::new();
    let ran = house.run("bench call --concurrency 2 --duration 20ms --rounds 1 --transport unix");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("CALLERS"), "{}", ran.stdout);
    assert!(ran.stdout.contains(" × "), "{}", ran.stdout);
}
