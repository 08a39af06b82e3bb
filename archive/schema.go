package archive

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"path"
	"strconv"
	"strings"
	"text/template"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationFiles are applied in this order, by the numbers in their names; a
// file that was released is never changed.
var migrationFiles = [...]string{
	"migrations/0001_tables.sql",
	"migrations/0002_imports.sql",
	"migrations/0003_hours_referrers.sql",
	"migrations/0004_page_counts.sql",
	"migrations/0005_api_calls.sql",
	"migrations/0006_base_slot.sql",
	"migrations/0007_segment_sites.sql",
	"migrations/0008_retention.sql",
	"migrations/0009_segment_sums.sql",
	"migrations/0010_import_heads.sql",
	"migrations/0011_jobs.sql",
	"migrations/0012_facets.sql",
	"migrations/0013_more_facets.sql",
	"migrations/0014_rules.sql",
	"migrations/0015_people.sql",
	"migrations/0016_voided_rows.sql",
	"migrations/0017_uniques.sql",
	"migrations/0018_fair_names.sql",
	"migrations/0019_base_days.sql",
}

// versionTable is where goose notes what was applied.
const versionTable = "ddkk_schema"

// migrate brings the schema up to date. Two that do it at once are kept apart
// by a lock where there is one, and do no harm where there is none.
func (st *store) migrate(ctx context.Context) error {
	var steps []*goose.Migration
	for _, file := range migrationFiles {
		version, err := versionOf(file)
		if err != nil {
			return err
		}
		up := &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			statements, err := render(file, st.dialect.words())
			if err != nil {
				return err
			}
			for _, s := range statements {
				if _, err := execTx(ctx, tx, firstLine(s), s); err != nil && !st.dialect.alreadyThere(err) {
					return err
				}
			}
			return nil
		}}
		steps = append(steps, goose.NewGoMigration(version, up, nil))
	}
	db := st.db
	if st.migrations != nil {
		db = st.migrations
	}
	p, err := goose.NewProvider(st.dialect.goose(), db, nil,
		goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the archive: %w; the user needs CREATE, ALTER, DROP and INDEX on the database", err)
	}
	return nil
}

// versionOf is the number that a migration's name begins with.
func versionOf(file string) (int64, error) {
	number, _, _ := strings.Cut(path.Base(file), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number of migration %s: %w", file, err)
	}
	return version, nil
}

// render fills a migration's words in and splits it into statements.
func render(file string, words template.FuncMap) ([]string, error) {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read migration: %w", err)
	}
	t, err := template.New(file).Funcs(words).Parse(withoutComments(string(text)))
	if err != nil {
		return nil, fmt.Errorf("parse migration: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return nil, fmt.Errorf("fill in migration: %w", err)
	}
	var out []string
	for s := range strings.SplitSeq(b.String(), ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(strings.TrimSpace(line), " (")
}

// fixedWord is a word of a migration that takes no argument.
func fixedWord(text string) func() string { return func() string { return text } }

// sizedWord is a word of a migration that takes a length in bytes.
func sizedWord(format string) func(int) string {
	return func(n int) string { return fmt.Sprintf(format, n) }
}
