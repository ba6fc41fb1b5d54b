//! A short run, and what the checker makes of its history when it is falsified.

mod phones;
mod run;
