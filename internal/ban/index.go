package ban

import "slices"

// widest is the number of bytes in the longest gram: what fits a machine word.
const widest = 8

// index finds the patterns that could match a key without trying them all. A
// key that matches a pattern contains each of the pattern's literal runs, so
// each pattern waits in the bucket of one gram (up to eight bytes in a row) of
// such a run, and a search looks up the grams of the key.
type index struct {
	// buckets by gram, one map for each width. Width 0 is for the patterns
	// without a literal byte, all under gram 0: every key contains the empty gram.
	buckets [widest + 1]map[uint64]*bucket
	// latest is never smaller than any pattern's version: most bans are of
	// keys and tags, and a search after them is spared the key's grams.
	latest uint64
}

// bucket holds the patterns of one gram, in order of version.
type bucket struct {
	width int
	gram  uint64
	bans  []*ban
}

func (x *index) insert(b *ban) {
	b.bucket = x.choose(b.name())
	bans := b.bucket.bans
	i := len(bans)
	for i > 0 && bans[i-1].version > b.version {
		i-- // rarely: versions arrive nearly in order
	}
	b.bucket.bans = slices.Insert(bans, i, b)
	x.latest = max(x.latest, b.version)
}

func (x *index) remove(b *ban) {
	home := b.bucket
	if i := slices.Index(home.bans, b); i > 0 {
		home.bans = slices.Delete(home.bans, i, i+1)
	} else {
		// The oldest, as in every trim: no need to move all the others.
		home.bans[0] = nil
		home.bans = home.bans[1:]
	}
	if len(home.bans) == 0 {
		delete(x.buckets[home.width], home.gram)
	}
}

// choose returns the bucket for pattern: the emptiest among those of its
// widest grams. A fixed choice, say the last gram, would put user_1_page_*,
// user_2_page_* and so on into one bucket.
func (x *index) choose(pattern string) *bucket {
	width, grams := grams(pattern)
	var best *bucket
	for _, gram := range slices.Backward(grams) {
		home := x.buckets[width][gram]
		if home == nil {
			return x.open(width, gram)
		}
		if best == nil || len(home.bans) < len(best.bans) {
			best = home
		}
	}
	return best
}

func (x *index) open(width int, gram uint64) *bucket {
	if x.buckets[width] == nil {
		x.buckets[width] = make(map[uint64]*bucket)
	}
	home := &bucket{width: width, gram: gram}
	x.buckets[width][gram] = home
	return home
}

// grams returns the grams of pattern's literal runs that have the width of the
// longest run, or eight bytes when it is longer. At least one, be it the empty.
func grams(pattern string) (width int, grams []uint64) {
	grams = []uint64{0}
	run, word := 0, uint64(0)
	for i := 0; i < len(pattern); {
		n := 1
		c, literal := pattern[i], false
		if c != '*' {
			n, c, literal = element(pattern[i:])
		}
		i += n
		if !literal {
			run = 0
			continue
		}
		run++
		word = word<<8 | uint64(c)
		if w := min(run, widest); w > width {
			width, grams = w, grams[:0]
		}
		if run >= width {
			grams = append(grams, word&mask(width))
		}
	}
	return width, grams
}

// element returns the width of pattern's first element and, if it is literal,
// the byte it stands for.
func element(pattern string) (width int, c byte, literal bool) {
	width, _ = one(pattern, 0)
	return width, pattern[width-1], pattern[0] != '?' && pattern[0] != '['
}

// mask keeps the last width bytes of a word.
func mask(width int) uint64 { return 1<<(8*width) - 1 }

// newest returns the newest ban whose pattern matches key, if that is newer
// than best; else best.
func (x *index) newest(key string, best *ban) *ban {
	if x.latest <= best.version {
		return best
	}
	best = x.buckets[0][0].newest(key, best)
	for width := 1; width <= widest; width++ {
		buckets := x.buckets[width]
		if len(buckets) == 0 {
			continue
		}
		word := uint64(0)
		for i := range len(key) {
			word = word<<8 | uint64(key[i])
			if i+1 < width {
				continue
			}
			best = buckets[word&mask(width)].newest(key, best)
		}
	}
	return best
}

// newest is index.newest for one bucket; b may be nil, an empty bucket.
func (b *bucket) newest(key string, best *ban) *ban {
	if b == nil {
		return best
	}
	for _, candidate := range slices.Backward(b.bans) {
		if candidate.version <= best.version {
			break
		}
		if Match(candidate.name(), key) {
			return candidate
		}
	}
	return best
}
