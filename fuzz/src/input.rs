//! The bytes of an input, taken from the front.

/// What is left of the input. Beyond its end everything is zero or empty.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }

    /// What stands in front of the next `mark`, which is taken, too.
    pub(crate) fn until(&mut self, mark: u8) -> &'a [u8] {
        let len = self.0.iter().position(|&byte| byte == mark).unwrap_or(self.0.len());
        let front = self.take(len);
        self.take(1);
        front
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
