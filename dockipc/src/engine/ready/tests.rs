use super::*;

const LONG_ONE: Cost = Cost::of(Duration::from_micros(100));

fn order(ready: &mut Ready) -> Vec<usize> {
    std::iter::from_fn(|| ready.pop(true)).map(|(index, _)| index).collect()
}

#[test]
fn quick_connections_come_first_and_long_ones_one_at_a_time() {
    let mut ready = Ready::default();
    let quick = Cost::default();
    for (index, cost) in [(0, LONG_ONE), (1, quick), (2, LONG_ONE), (3, quick)] {
        ready.push(index, cost);
    }
    assert!(order(&mut ready).is_empty(), "no events were looked for");
    ready.polled();
    assert_eq!(ready.pop(false).map(|(index, _)| index), Some(1));
    assert_eq!(ready.pop(false).map(|(index, _)| index), Some(3));
    assert!(ready.pop(false).is_none() && !ready.has_any(false));
    assert_eq!(order(&mut ready), [0, 2]);
    assert!(!ready.has_any(true) && !ready.is_worth_sharing());

    (0..2).for_each(|index| ready.push(index, LONG_ONE));
    ready.polled();
    assert_eq!(order(&mut ready), [0]);
    // A quick one that comes meanwhile is not kept waiting.
    ready.push(2, quick);
    ready.polled();
    assert_eq!(order(&mut ready), [2, 1]);
}

#[test]
fn quick_connections_do_not_starve_long_ones() {
    let mut ready = Ready::default();
    (0..100).for_each(|index| ready.push(index, Cost::default()));
    (100..110).for_each(|index| ready.push(index, LONG_ONE));
    ready.polled();
    assert_eq!(order(&mut ready).len(), 100 + 8);
}

#[test]
fn known_quick_connections_do_not_wait_for_new_ones() {
    let mut ready = Ready::default();
    (0..100).for_each(|index| ready.push(index, Cost::NEW));
    (100..102).for_each(|index| ready.push(index, LONG_ONE));
    ready.polled();
    let first = order(&mut ready);
    assert!(first[..NEW].iter().copied().eq(0..NEW));
    assert_eq!(first[NEW..], [100, 101], "new ones don't starve long ones");
    ready.push(200, Cost::default());
    ready.polled();
    assert_eq!(order(&mut ready)[..2], [200, NEW]);
    assert!(ready.has_any(false) && !ready.is_worth_sharing());
}

#[test]
fn new_connections_that_turn_out_long_are_served_one_at_a_time() {
    let mut ready = Ready::default();
    (0..3).for_each(|index| ready.push(index, Cost::NEW));
    for index in 0..2 {
        ready.polled();
        assert_eq!(ready.pop(true), Some((index, Cost::default())));
        ready.spent(Cost::of(Duration::from_millis(1)));
        assert_eq!(ready.pop(true), None, "a quick one may have come");
    }
    ready.spent(Cost::NEW);
    ready.polled();
    assert!(ready.pop(true).is_some());
}

#[test]
fn waiting_work_is_worth_sharing_from_the_cost_of_a_wake_up() {
    let mut ready = Ready::default();
    (0..1000).for_each(|index| ready.push(index, Cost::of(Duration::from_micros(1))));
    assert!(!ready.is_worth_sharing());
    (0..4).for_each(|index| {
        assert!(!ready.is_worth_sharing());
        ready.push(index, Cost::of(Duration::from_micros(5)));
    });
    assert!(ready.is_worth_sharing());
    ready.polled();
    order(&mut ready);
    assert!(!ready.is_worth_sharing());
}
