//! Requests that no decent client sends.
