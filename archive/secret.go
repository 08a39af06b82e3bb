package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ShareSecret keeps the secret of the visitor hash, so that the loss of Redis
// and of DATA_DIR changes no hash. The first one that is kept stays; it returns
// that, and "" when mine is empty and there is none.
func (nt *notes) ShareSecret(ctx context.Context, mine string) (kept string, err error) {
	err = nt.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'secret'"+nt.dialect.forUpdate()).Scan(&kept)
		if !errors.Is(err, sql.ErrNoRows) || mine == "" {
			if errors.Is(err, sql.ErrNoRows) {
				err = nil
			}
			return err
		}
		kept = mine
		_, err = execTx(ctx, tx, "keep", "INSERT INTO meta (name, value) VALUES ('secret', ?)", nt.dialect.bytes([]byte(mine)))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("keep secret in the archive: %w", err)
	}
	return kept, nil
}
