package query_test

import (
	"fmt"
	"time"

	"sigla/gallery/query"
)

func Example() {
	q, err := query.Parse("beach + 0.5*sunset -people tag:italy after:2023", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range q.Terms {
		fmt.Printf("%+.1f %s\n", t.Weight, t.Text)
	}
	fmt.Println(q.Match(&query.Facts{
		Name: query.Fold("Holiday/IMG_1.JPG"),
		Date: time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC),
		Tags: []string{query.Fold("Places|Italy|Rome")},
	}))
	fmt.Println(q)
	// Output:
	// +1.0 beach
	// +0.5 sunset
	// -1.0 people
	// true
	// beach + 0.5*sunset - people tag:italy after:2023
}
