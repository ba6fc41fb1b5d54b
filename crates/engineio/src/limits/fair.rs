//! Whom to cut when all clients together hold too much: of the address that holds most, the largest
//! holder first. So one address with many small holders does not have others pay for it.

use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;

/// One who holds something: its address, if that is known, how much it holds, and its number.
#[doc(hidden)]
pub type Holder = (Option<IpAddr>, usize, u64);

/// Chooses among holders until they hold `excess` together; their numbers. Of equal ones that with the
/// larger number goes first.
///
/// For the layer above, which has holders of its own.
#[doc(hidden)]
pub fn whom_to_cut(holders: &[Holder], mut excess: usize) -> Vec<u64> {
    let mut by_address: HashMap<Option<IpAddr>, BinaryHeap<(usize, u64)>> = HashMap::new();
    for &(address, held, number) in holders {
        if held > 0 {
            by_address.entry(address).or_default().push((held, number));
        }
    }
    let mut by_address: Vec<_> = by_address.into_values().collect();
    let mut sums: BinaryHeap<(usize, u64)> = BinaryHeap::new();
    for (at, holders) in by_address.iter().enumerate() {
        sums.push((holders.iter().map(|(held, _)| held).sum(), at as u64));
    }
    let mut chosen = Vec::new();
    while excess > 0 {
        let Some((sum, at)) = sums.pop() else { break };
        let Some((held, number)) = by_address[at as usize].pop() else { continue };
        excess = excess.saturating_sub(held);
        chosen.push(number);
        sums.push((sum - held, at));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(holders: &[(&str, usize)], excess: usize, expected: &[u64]) {
        let holders: Vec<Holder> = (0..)
            .zip(holders)
            .map(|(at, (address, held))| (Some(address.parse().unwrap()), *held, at))
            .collect();
        assert_eq!(whom_to_cut(&holders, excess), expected);
    }

    #[test]
    fn the_address_that_holds_most() {
        let (one, other, third) = ("192.0.2.1", "192.0.2.2", "192.0.2.3");
        check(&[(one, 5), (other, 9), (third, 7)], 0, &[]);
        check(&[(one, 5), (other, 9), (third, 7)], 1, &[1]);
        check(&[(one, 5), (other, 9), (third, 7)], 10, &[1, 2]);
        // many small ones of one address are more than a large one of another
        check(&[(one, 8), (other, 3), (other, 3), (other, 3)], 1, &[3]);
        check(&[(one, 8), (other, 3), (other, 3), (other, 3)], 4, &[3, 0]);
        check(&[(one, 8), (other, 3), (other, 3), (other, 4)], 14, &[3, 0, 2]);
        // more than there is
        check(&[(one, 5), (other, 0), (third, 7)], 100, &[2, 0]);
    }
}
