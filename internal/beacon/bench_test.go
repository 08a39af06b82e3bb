package beacon

import (
	"path/filepath"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	for _, name := range []string{"alone", "parallel"} {
		b.Run(name, func(b *testing.B) {
			l, err := OpenLog(filepath.Join(b.TempDir(), "event.log"), testOptions())
			if err != nil {
				b.Fatal(err)
			}
			rec := testRecord("/event.png?page=%2Fposts%2Fhello&site=ddkk.com&id=0123456789abcdef")
			b.SetBytes(int64(len(appendLine(nil, &rec, make([]byte, 32)))))
			b.ReportAllocs()
			if name == "alone" {
				for b.Loop() {
					if _, err := l.Append(rec); err != nil {
						b.Fatal(err)
					}
				}
			} else {
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := l.Append(rec); err != nil {
							b.Error(err)
						}
					}
				})
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
