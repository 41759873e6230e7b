//! How do many small things fit into few messages of a bounded size?

/// Collects items behind a common head, and starts a new message when the next one would not fit.
#[derive(Debug)]
pub(crate) struct Packer {
    head: Vec<u8>,
    max: usize,
    /// Further messages that may be started.
    left: usize,
    done: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Packer {
    /// Messages that start with `head`, of at most `max` bytes, and at most `messages` of them.
    pub(crate) fn new(head: &[u8], max: usize, messages: usize) -> Self {
        let (head, open) = (head.to_vec(), head.to_vec());
        Self { head, max, left: messages.saturating_sub(1), done: Vec::new(), open }
    }

    /// Appends an item. `false`: it is larger than a message, or there are messages enough; nothing changed.
    pub(crate) fn push(&mut self, item: &[u8]) -> bool {
        if self.open.len() + item.len() > self.max {
            let fits = self.head.len() + item.len() <= self.max;
            if !fits || self.left == 0 || self.open.len() == self.head.len() {
                return false;
            }
            self.left -= 1;
            self.done.push(std::mem::replace(&mut self.open, self.head.clone()));
        }
        self.open.extend_from_slice(item);
        true
    }

    /// The messages, none without an item.
    pub(crate) fn finish(mut self) -> Vec<Vec<u8>> {
        if self.open.len() > self.head.len() {
            self.done.push(self.open);
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(items: &[&str], messages: usize, expect: &[&str], taken: usize) {
        let mut packer = Packer::new(b"#", 5, messages);
        assert_eq!(items.iter().filter(|item| packer.push(item.as_bytes())).count(), taken);
        let messages = packer.finish();
        let messages = messages.iter().map(|message| std::str::from_utf8(message).unwrap());
        assert_eq!(messages.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn items_share_messages_and_none_is_cut() {
        check(&[], 9, &[], 0);
        check(&["aa", "bb", "cc"], 9, &["#aabb", "#cc"], 3);
        check(&["aaa", "bb"], 9, &["#aaa", "#bb"], 2);
    }

    #[test]
    fn an_item_larger_than_a_message_is_left_out() {
        check(&["aaaaa", "bb"], 9, &["#bb"], 1);
        check(&["bb", "aaaaa", "c"], 9, &["#bbc"], 2);
    }

    #[test]
    fn there_are_no_more_messages_than_allowed() {
        check(&["aaaa", "bbbb", "cccc"], 2, &["#aaaa", "#bbbb"], 2);
    }
}
