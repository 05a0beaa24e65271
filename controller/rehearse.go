package controller

import (
	"fmt"

	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// separable is how many sessions may be read for their turns when a test is
// registered; more take long.
const separable = 10_000

// rehearse opens the data of an effective spec that lies here and compiles its
// schedule, as far as both are quickly done: what would end every run of it before
// its first request is found when it is registered. The data is left alone where
// the spec is known to be wrong.
func (c *Controller) rehearse(eff *workload.Spec, valid bool) workload.Errors {
	var corpus dataset.Corpus
	if valid {
		c, done, err := c.corpusAtHand(eff)
		if err != nil {
			return violationsOf(err)
		}
		defer done()
		corpus = c
	}
	return violationsOf(schedule.Check(eff, corpus))
}

// corpusAtHand is the corpus of data that was uploaded, or nil where there is none
// yet or it would take long. done closes it.
func (c *Controller) corpusAtHand(eff *workload.Spec) (corpus dataset.Corpus, done func(), err error) {
	hash := eff.Dataset.CorpusHash
	if hash == "" || !c.files.hasCorpus(hash) {
		return nil, func() {}, nil
	}
	file, err := c.files.openCorpus(hash)
	if err != nil {
		return nil, nil, workload.Errors{{Path: eff.Dataset.Key(), Message: fmt.Sprintf("can't be read as data to send: %v", err)}}
	}
	s := &eff.Sessions
	if (s.SeparateTurns || s.SeparateInterval > 0) && file.Len() > separable {
		file.close()
		return nil, func() {}, nil
	}
	if corpus, _, err = dataset.Open(eff, file.name, file.File, dataset.Options{}); err != nil {
		file.close()
		return nil, nil, err
	}
	return corpus, file.close, nil
}
