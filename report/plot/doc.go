// Package plot draws a report's series as images: requests by outcome, and output
// tokens per second. It computes no figure of its own beyond the moving window of
// the throughput plot, and nothing draws during a run: only a report that is
// complete is drawn, when somebody asks.
//
// Colours are those of Okabe and Ito, which people with any kind of colour vision
// tell apart; nothing is said by colour alone.
package plot
