"""The pages that open inside screen 6: a run, a comparison, a sweep, walk-forwards, data, a launch."""
