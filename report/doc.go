// Package report turns what was measured of a run into its report: the verdict,
// the JSON of report_ID.json, the text for people, and the rows of
// requests_ID.jsonl. It is pure but for the writers it is given: it measures
// nothing (package measure), counts nothing (package ledger), opens no files and
// knows no clock.
//
// A Report is built once, by Build, from an Input in which everything is a plain
// value, and is not changed afterwards. Durations are seconds as JSON numbers; a
// figure that does not exist is null, never 0. What each figure means stands in
// Definitions, which every report repeats.
//
// Rows are written with EncodeRow and read with ReadRows; everything in a report
// that is about requests can be computed again from them.
package report
