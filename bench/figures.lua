-- Tells the figures of a round: requests, microseconds, errors, and latencies in microseconds.
function done(summary, latency)
   local errors = summary.errors
   io.write(string.format("FIGURES %d %d %d %d %d\n", summary.requests, summary.duration,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
