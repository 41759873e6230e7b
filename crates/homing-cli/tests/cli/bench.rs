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

#[test]
fn bench_call_measures_a_mesh_with_a_key_too() {
    let house = House::new();
    let line = "bench call --keyed --concurrency 1 --duration 100ms --rounds 2 --json";
    let document = house.run(line).json();
    let rows = document["rows"].as_array().unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let named: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {} {}", text(row, "work"), text(row, "system"), row["size"]))
        .collect();
    let (call, bulk) = ("call homing 128", "bulk homing 1048576");
    let keyed = ["call homing-keyed 128", "bulk homing-keyed 1048576"];
    assert_eq!(named, [call, keyed[0], "call tcp 128", "call unix 128", bulk, keyed[1]]);
    assert!(rows.iter().all(|row| row["per_second"].as_f64().unwrap() > 0.0), "{document}");

    let refused = house.run("bench call --keyed --transport unix");
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("--keyed compares links over TCP"), "{}", refused.stderr);
}

#[test]
fn bench_stream_prints_a_row_for_each_system_and_size() {
    let house = House::new();
    let line = "bench stream --keyed --size 128,100000 --duration 60ms --rounds 2 --json";
    let document = house.run(line).json();
    let rows = document["rows"].as_array().unwrap();
    let named: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {}", row["size"], row["system"].as_str().unwrap()))
        .collect();
    let small = ["homing", "homing-keyed", "tcp"].map(|system| format!("128 {system}"));
    let large = ["homing", "homing-chunks", "homing-keyed", "homing-keyed-chunks", "tcp"];
    let large = large.map(|system| format!("100000 {system}"));
    assert_eq!(named, [&small[..], &large[..]].concat());
    for row in rows {
        assert_eq!((&row["work"], &row["concurrency"]), (&"stream".into(), &1.into()), "{row}");
        assert!(row["per_second"].as_f64().unwrap() > 0.0 && row["lost"].is_null(), "{row}");
    }
}

#[test]
fn bench_pub_prints_the_floor_and_that_nothing_was_lost() {
    let house = House::new();
    let document =
        house.run("bench pub --subscribers 1,2 --duration 20ms --rounds 2 --json").json();
    let rows = document["rows"].as_array().unwrap();
    let named: Vec<_> = rows
        .iter()
        .map(|row| {
            format!("{} {} {} {}", row["work"], row["system"], row["concurrency"], row["lost"])
        })
        .collect();
    let expect = ["homing\" 1", "tcp-oneway\" 1", "homing\" 2", "tcp-oneway\" 2"];
    assert_eq!(named, expect.map(|row| format!("\"pub\" \"{row} 0")));

    let ran = house.run("bench pub --duration 20ms --rounds 1");
    assert!(ran.stdout.starts_with("READERS"), "{}", ran.stdout);
}

#[test]
fn an_idle_node_wakes_at_most_ten_times_a_second() {
    let house = House::new();
    let document = house.run("bench idle --keyed --duration 6s --json").json();
    let rows = document["rows"].as_array().unwrap();
    let named: Vec<_> = rows.iter().map(|row| row["system"].as_str().unwrap()).collect();
    assert_eq!(named, ["homing", "homing-keyed"]);
    for row in rows {
        assert!(row["wakes_per_second"].as_f64().unwrap() <= 10.0, "{row}");
        assert!(row["anonymous_kib"].as_f64() < row["resident_kib"].as_f64(), "{row}");
    }
}

#[test]
fn bench_mesh_starts_processes_that_all_see_each_other() {
    let house = House::new();
    let document = house.run("bench mesh --nodes 5 --rounds 2 --json").json();
    let row = &document["rows"][0];
    assert_eq!(
        (&row["work"], &row["concurrency"], &row["rounds"]),
        (&"mesh".into(), &5.into(), &2.into())
    );
    assert!(row["meshed_ms"].as_f64().unwrap() <= row["worst_ms"].as_f64().unwrap(), "{row}");

    let ran = house.run("bench mesh --nodes 2 --rounds 1");
    assert!(ran.stdout.starts_with("PROCESSES"), "{}", ran.stdout);
}
