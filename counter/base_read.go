package counter

import "fmt"

// basedFields are the fields to which a base is added.
const basedFields = FieldSitePV | FieldSiteUV | FieldPagePV | FieldPageUV

// baseKeys appends the keys of the base of what q asks for: they ride along in
// the same MGET.
func (r *asking) baseKeys(keys []string, q *Query) []string {
	k := r.keys
	if q.Fields&FieldSitePV != 0 {
		keys = append(keys, k.BasePV(q.Site))
	}
	if q.Fields&FieldSiteUV != 0 {
		keys = append(keys, k.BaseUV(q.Site))
	}
	if q.Fields&FieldPagePV != 0 {
		keys = append(keys, k.BasePagePV(q.Site, q.Page))
	}
	if q.Fields&FieldPageUV != 0 {
		keys = append(keys, k.BasePageUV(q.Site, q.Page))
	}
	for _, p := range q.Pages {
		keys = append(keys, k.BasePagePV(q.Site, p))
	}
	return keys
}

// addBase adds the values of baseKeys, in their order.
func addBase(values []any, q *Query, a *Answer) error {
	add := func(to *int64) error {
		n, err := replyCount(values[0])
		if err != nil {
			return fmt.Errorf("read base of %s: %w", q.Site, err)
		}
		*to += n
		values = values[1:]
		return nil
	}
	for f := FieldSitePV; f < FieldSiteOnline; f <<= 1 {
		if q.Fields&basedFields&f == 0 {
			continue
		}
		if err := add(a.slot(f)); err != nil {
			return err
		}
	}
	for i := range a.Pages {
		if err := add(&a.Pages[i]); err != nil {
			return err
		}
	}
	return nil
}
