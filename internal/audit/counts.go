package audit

import (
	"fmt"
	"math"
)

// Counts is how many audits have ended, by verdict.
type Counts struct {
	Fresh, Overtaken, Unsteady, Violations uint64
}

// ruleOfThree is the numerator of the upper end of the 95 % confidence interval
// of a rate of which n trials have shown not one case: 3/n. (Hanley and
// Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249,
// 1983, pages 1743 to 1745.)
const ruleOfThree = 3

// Nines returns the number of nines of the share of fresh hits among those that
// could be told: 3 for 99.9 %. Without a violation it is what that share is at
// least, with 95 % confidence: no sample proves that there are none.
func (c Counts) Nines() float64 {
	told := float64(c.Fresh + c.Violations)
	if told == 0 {
		return 0
	}
	rate := ruleOfThree / told
	if c.Violations > 0 {
		rate = float64(c.Violations) / told
	}
	return max(0, -math.Log10(rate))
}

// String returns the counts and the nines in one line.
func (c Counts) String() string {
	bound := ""
	if c.Violations == 0 {
		bound = "at least "
	}
	return fmt.Sprintf("%s%.1f nines: %d violations, %d fresh; %d overtaken, %d unsteady",
		bound, c.Nines(), c.Violations, c.Fresh, c.Overtaken, c.Unsteady)
}
