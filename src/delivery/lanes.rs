//! A consumer's sixteen lanes as this process holds them: what is durable, and what the next flush writes. Pure.

use super::queue::Queues;
use crate::store::lane::{LANES, Lane};

/// The lanes of one consumer.
#[derive(Clone, Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    at_start: Vec<Lane>,
    touched: u16,
}

impl Lanes {
    /// The lanes as they were taken.
    pub fn new(lanes: Vec<Lane>) -> Self {
        Self { at_start: lanes.clone(), lanes, touched: 0 }
    }

    /// The lanes as they are durable.
    pub fn held(&self) -> &[Lane] {
        &self.lanes
    }

    /// Whether this shard's lane is among them.
    pub fn holds(&self, shard: u8) -> bool {
        self.lanes.iter().any(|lane| lane.shard == shard)
    }

    /// The shards of these lanes.
    pub fn shards(&self) -> Vec<i64> {
        self.lanes.iter().map(|lane| lane.shard.into()).collect()
    }

    /// Of something that all of the consumer's workers may have, the part that these lanes give a right to; one at least.
    pub fn part_of(&self, whole: u32) -> u32 {
        let lanes = u32::try_from(self.lanes.len()).unwrap_or(1);
        (whole.saturating_mul(lanes) / u32::from(LANES)).max(1)
    }

    /// From where to read.
    pub fn position(&self) -> i64 {
        self.lanes.iter().map(|lane| lane.watermark).min().unwrap_or(0)
    }

    /// Whether a route was settled or parked before this process took the lanes.
    pub fn was_passed(&self, shard: u8, seq: i64) -> bool {
        self.at_start.iter().any(|lane| lane.shard == shard && seq <= lane.watermark)
    }

    /// Up to where this shard's routes were settled or parked before this process took the lanes. They are not offered again:
    /// those of who was parked are read by person, up to here at least.
    pub fn passed(&self, shard: u8) -> i64 {
        self.at_start.iter().find(|lane| lane.shard == shard).map_or(0, |lane| lane.watermark)
    }

    /// Whether the holder before may have sent a route without recording it.
    pub fn was_possibly_sent(&self, shard: u8, seq: i64) -> bool {
        self.at_start.iter().any(|lane| lane.shard == shard && lane.watermark < seq && seq <= lane.taken)
    }

    /// Whether it is durable that everything up to `seq` may be sent.
    pub fn covers(&self, seq: i64) -> bool {
        self.lanes.iter().all(|lane| seq <= lane.taken)
    }

    /// A route of this shard was settled.
    pub fn touch(&mut self, shard: u8) {
        self.touched |= 1 << shard;
    }

    /// The rows of the next flush: those that were touched, moved or not, for they carry the fence; `taken` moves all, and if
    /// `all` is set all that moved are among them. Never none.
    pub fn rows(&self, queues: &Queues, taken: Option<i64>, all: bool) -> Vec<Lane> {
        let moved = self.lanes.iter().map(|lane| self.moved(lane, queues, taken));
        let is_touched = |lane: &Lane| self.touched & (1 << lane.shard) != 0;
        let is_news = |lane: &Lane| (taken.is_some() || all) && !self.lanes.contains(lane);
        let rows: Vec<Lane> = moved.filter(|lane| is_touched(lane) || is_news(lane)).collect();
        if rows.is_empty() { self.lanes.iter().take(1).copied().collect() } else { rows }
    }

    /// Whether at rest there is something to write.
    pub fn has_moved(&self, queues: &Queues) -> bool {
        self.lanes.iter().any(|lane| queues.watermark(lane.shard) > lane.watermark)
    }

    fn moved(&self, lane: &Lane, queues: &Queues, taken: Option<i64>) -> Lane {
        let watermark = queues.watermark(lane.shard).max(lane.watermark);
        Lane { watermark, taken: lane.taken.max(taken.unwrap_or(0)).max(watermark), ..*lane }
    }

    /// These rows are handed to the flush.
    pub fn handed_over(&mut self) {
        self.touched = 0;
    }

    /// These rows are durable.
    pub fn written(&mut self, rows: &[Lane]) {
        for row in rows {
            self.lanes.iter_mut().filter(|lane| lane.shard == row.shard).for_each(|lane| *lane = *row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::queue::testing::route;

    fn lanes(watermark: i64, taken: i64) -> Lanes {
        Lanes::new((0..16).map(|shard| Lane { shard, watermark, taken, epoch: 3 }).collect())
    }

    #[test]
    fn a_watermark_stays_below_what_is_not_settled() {
        let mut queues = Queues::new(10, Vec::new(), jiff::Timestamp::UNIX_EPOCH);
        queues.offer(route(11, 0x10));
        queues.offer(route(15, 0x20));
        let mut lanes = lanes(10, 100);
        assert_eq!(lanes.rows(&queues, None, false), lanes.lanes[..1], "the fence alone");
        lanes.touch(3);
        assert_eq!(lanes.rows(&queues, None, false), [Lane { shard: 3, watermark: 15, taken: 100, epoch: 3 }]);
        let rows = lanes.rows(&queues, Some(200), false);
        assert_eq!(rows.len(), 16);
        assert_eq!((rows[1].watermark, rows[2].watermark, rows[1].taken), (10, 14, 200));
        assert!(!lanes.covers(150));
        lanes.written(&rows);
        assert!(lanes.covers(150) && !lanes.covers(201));
        assert_eq!(lanes.rows(&queues, None, false), rows[3..4], "the fence of what was touched");
    }

    #[test]
    fn what_the_holder_before_may_have_sent_is_known() {
        let lanes = lanes(10, 20);
        assert!(lanes.was_passed(0, 10) && !lanes.was_passed(0, 11));
        assert!(!lanes.was_possibly_sent(0, 10) && lanes.was_possibly_sent(0, 20) && !lanes.was_possibly_sent(0, 21));
    }
}
