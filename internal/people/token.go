package people

import (
	"cmp"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/queryapi"
)

// prefix begins each token, so that scanners for leaked secrets know it.
const prefix = "ddkk_"

// Roles are those that a token can have.
func Roles() []string {
	return []string{string(queryapi.RoleAdmin), string(queryapi.RoleView), string(queryapi.RoleAPI)}
}

// Grant is what the owner gives.
type Grant struct {
	Name     string
	Role     string
	Sites    []string // normalised; none: all
	Ends     time.Time
	Share    bool
	Password string

	rounds int // of the hash of Password; rounds where it is 0
}

// New makes a token. secret is what is shown; it is kept nowhere.
func New(g Grant) (t archive.Token, secret string, err error) {
	switch {
	case g.Name == "" || len(g.Name) > 100 || strings.ContainsFunc(g.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return t, "", errors.New("a token needs a name of 1 to 100 bytes without control characters: --name")
	case !slices.Contains(Roles(), g.Role):
		return t, "", fmt.Errorf("role %q: use one of %s", g.Role, strings.Join(Roles(), ", "))
	case g.Share && len(g.Sites) != 1:
		return t, "", errors.New("a link is to one site: --site")
	case len(strings.Join(g.Sites, ",")) > 8192:
		return t, "", errors.New("the names of the sites have more than 8192 bytes together: give several tokens")
	}
	var random [32]byte
	rand.Read(random[:]) // cannot fail since Go 1.24: the program ends instead
	var id [8]byte
	rand.Read(id[:])
	secret = prefix + base64.RawURLEncoding.EncodeToString(random[:])
	t = archive.Token{ID: hex.EncodeToString(id[:]), Name: g.Name, Secret: hashOf([]byte(secret)), Role: g.Role, Sites: g.Sites, Ends: g.Ends, Share: g.Share}
	if g.Password != "" {
		t.Password, err = hashPassword(g.Password, cmp.Or(g.rounds, rounds))
	}
	return t, secret, err
}

// hashOf is how a token is kept: it is random, so a plain hash tells nothing.
func hashOf(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// rounds of PBKDF2 with SHA-256, as OWASP's cheat sheet of 2023 has it.
const rounds = 600_000

func hashPassword(password string, rounds int) (string, error) {
	var salt [16]byte
	rand.Read(salt[:])
	key, err := pbkdf2.Key(sha256.New, password, salt[:], rounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return fmt.Sprintf("pbkdf2-sha256$%d$%s$%s", rounds, hex.EncodeToString(salt[:]), hex.EncodeToString(key)), nil
}

// passwordIs compares a password with a hash of hashPassword.
func passwordIs(kept, password string) bool {
	parts := strings.Split(kept, "$")
	if len(parts) != 4 || parts[0] != "pbkdf2-sha256" {
		return false
	}
	n, err := strconv.Atoi(parts[1])
	salt, serr := hex.DecodeString(parts[2])
	want, werr := hex.DecodeString(parts[3])
	if err != nil || serr != nil || werr != nil || n < 1 {
		return false
	}
	key, err := pbkdf2.Key(sha256.New, password, salt, n, len(want))
	return err == nil && subtle.ConstantTimeCompare(key, want) == 1
}
