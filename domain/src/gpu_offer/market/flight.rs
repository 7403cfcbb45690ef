//! Many who want something done after they came, and one at a time who does it for them.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Lets one go at a time. Whoever comes while somebody is under way waits for the next one, which one of
/// those who wait does for all of them.
#[derive(Debug, Default)]
pub struct Flight(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many have begun.
    begun: u64,
    /// Whether the last of them is still under way.
    is_under_way: bool,
    /// The last one that came to an end, and whether it did what it should.
    ended: (u64, bool),
    waiting: Vec<Waker>,
}

/// What waiting led to.
pub enum Boarding<'a> {
    /// Go, and tell when it is done.
    Lead(Turn<'a>),
    /// Somebody who began later than this was asked has done it.
    Done,
    /// Somebody who began later than this was asked has failed.
    Failed,
}

/// One who is under way; when it is dropped, somebody else goes.
pub struct Turn<'a> {
    flight: &'a Flight,
    number: u64,
}

impl Flight {
    /// Waits until it is one's turn, or until it is no longer necessary.
    pub async fn board(&self) -> Boarding<'_> {
        // Who is under way already may have looked before this was asked.
        let before = self.state().begun;
        poll_fn(|context| {
            let mut state = self.state();
            if state.ended.0 > before {
                let is_done = state.ended.1;
                return Poll::Ready(if is_done { Boarding::Done } else { Boarding::Failed });
            }
            if state.is_under_way {
                state.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            state.begun += 1;
            state.is_under_way = true;
            Poll::Ready(Boarding::Lead(Turn { flight: self, number: state.begun }))
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Tells those who wait how it ended.
    pub fn end(self, is_done: bool) {
        self.flight.state().ended = (self.number, is_done);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.flight.state();
            state.is_under_way = false;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    /// What somebody waits for, asked once.
    macro_rules! look {
        ($waiting:expr) => {
            $waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
    }

    fn lead(boarding: Poll<Boarding<'_>>) -> Turn<'_> {
        match boarding {
            Poll::Ready(Boarding::Lead(turn)) => turn,
            _ => panic!("not the one who goes"),
        }
    }

    #[test]
    fn who_comes_while_somebody_is_under_way_waits_for_the_next_one() {
        let flight = Flight::default();
        let (mut first, mut second, mut third) =
            (pin!(flight.board()), pin!(flight.board()), pin!(flight.board()));
        let turn = lead(look!(first));
        assert!(look!(second).is_pending() && look!(third).is_pending());
        turn.end(true);
        // The first began before these two came, so one of them goes, and takes the other along.
        let turn = lead(look!(second));
        assert!(look!(third).is_pending());
        turn.end(true);
        assert!(matches!(look!(third), Poll::Ready(Boarding::Done)));
    }

    #[test]
    fn who_is_dropped_on_the_way_is_nobodys_answer() {
        let flight = Flight::default();
        let (mut first, mut second) = (pin!(flight.board()), pin!(flight.board()));
        let turn = lead(look!(first));
        assert!(look!(second).is_pending());
        drop(turn);
        drop(lead(look!(second)));
        assert!(matches!(look!(pin!(flight.board())), Poll::Ready(Boarding::Lead(_))));
    }

    #[test]
    fn a_failure_is_shared_by_those_who_waited_for_it_alone() {
        let flight = Flight::default();
        let (mut first, mut second, mut third) =
            (pin!(flight.board()), pin!(flight.board()), pin!(flight.board()));
        let turn = lead(look!(first));
        assert!(look!(second).is_pending() && look!(third).is_pending());
        turn.end(false);
        let turn = lead(look!(second));
        assert!(look!(third).is_pending());
        turn.end(false);
        assert!(matches!(look!(third), Poll::Ready(Boarding::Failed)));
        assert!(matches!(look!(pin!(flight.board())), Poll::Ready(Boarding::Lead(_))));
    }
}
