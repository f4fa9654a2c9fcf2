//! The flow and nothing else: resolve, lower, run.
