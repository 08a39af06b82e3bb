package reports

import (
	"context"
	"fmt"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/mailer"
)

// Mailer hands mails over.
type Mailer interface {
	Send(ctx context.Context, m mailer.Mail) error
}

// Postman delivers reports by mail and to a webhook.
type Postman struct {
	Mailer Mailer
	Hook   *alert.Webhook
	To     alert.Target
	Lang   string
	Now    func() time.Time
}

// Send delivers a report to a target.
func (p *Postman) Send(ctx context.Context, t Target, r *Report) error {
	if t.Mail == "" {
		if err := p.Hook.Hand(ctx, p.Now(), p.To, r.Text(p.Lang), r.JSON(p.Lang)); err != nil {
			return fmt.Errorf("post a report to REPORT_URL: %w", err)
		}
		return nil
	}
	page, err := r.HTML(p.Lang)
	if err != nil {
		return err
	}
	m := mailer.Mail{To: []string{t.Mail}, Subject: r.Subject(p.Lang), Text: r.Text(p.Lang), HTML: page, ID: t.ID(r.Span), At: p.Now()}
	if err := p.Mailer.Send(ctx, m); err != nil {
		return fmt.Errorf("send a report by SMTP_URL: %w", err)
	}
	return nil
}
