// Package bench measures bootwright against the tools that people use instead, in one run:
//
//	make bench                 everything
//	make bench BENCH=ISO/http  one of them
//
// A figure alone says little on a shared machine. So each benchmark runs its references beside what it measures, in turn,
// round after round, and reports the median time of each as NAME-ms and the median of the rounds' own ratios as A/B.
// Nothing passes or fails by the clock. docs/performance.md holds a run and explains it.
//
// All of it is tests, for Linux: there is no code here to import.
package bench
