theorem Scale.positive : 0 ≤ 2 * x := by positivity
