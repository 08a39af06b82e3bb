package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/nginx"
)

func nginxConfCommand() *cobra.Command {
	var c nginx.Conf
	var part string
	cmd := &cobra.Command{
		Use:   "nginx-conf",
		Short: "Print an nginx configuration that writes the log and forwards the API",
		Long: `Prints the configuration of the beacon: the v1 log format, /event.png, and the
forwarding of the API, the widget and the demo page.

With --standalone it is a whole nginx.conf that runs as it is, as any user:

	ddkk-stats nginx-conf --standalone --log /srv/ddkk/event.log > nginx.conf
	nginx -p /srv/ddkk -c $PWD/nginx.conf

Without it, it is a file for /etc/nginx/conf.d with a server of its own; --part
prints the pieces for a server that you have.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Part = nginx.Part(part)
			return c.Write(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&c.Standalone, "standalone", false, "print a whole nginx.conf")
	f.StringVar(&part, "part", "", "print one piece for an existing server: http or locations")
	f.StringVar(&c.Listen, "listen", "", "addresses to listen on, such as 8080 or 127.0.0.1:8080")
	f.StringVar(&c.ServerName, "server-name", "", "host names, separated by commas (default any)")
	f.StringVar(&c.Log, "log", "", "path of the beacon log: what ACCESS_LOG of the daemon names")
	f.StringVar(&c.SiteLog, "site-log", "", "path of the site's own access log, for API series: what SITE_LOG of the daemon names")
	f.StringVar(&c.API, "api", "", "where the daemon listens (default 127.0.0.1:8360)")
	f.StringVar(&c.Prefix, "prefix", "", "folder of a standalone nginx's pid file and temporary files (default the log's)")
	f.StringVar(&c.User, "user", "", "user of a standalone nginx's workers when root starts it")
	f.StringVar(&c.Cert, "cert", "", "certificate (PEM): turns TLS on")
	f.StringVar(&c.Key, "key", "", "its key (PEM)")
	f.StringSliceVar(&c.TrustedProxies, "trusted-proxies", nil, "proxies whose X-Forwarded-For is believed")
	f.StringVar(&c.ClientHeader, "client-ip-header", "", "header in which they name the client, such as CF-Connecting-IP (default X-Forwarded-For)")
	f.BoolVar(&c.ProxyProtocol, "proxy-protocol", false, "they name the client by the PROXY protocol")
	f.BoolVar(&c.Admin, "admin", false, "forward the dashboard, restore and metrics as well; set ADMIN_TOKEN")
	f.IntVar(&c.Rate, "rate", nginx.DefaultRate, "beacons of one address per second; negative: no limit")
	f.IntVar(&c.Burst, "burst", nginx.DefaultBurst, "beacons of one address at once")
	return cmd
}

func rotateCommand(load func() (*config.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Rotate nginx's beacon log now: rename, USR1, verified reopen",
		Long: `Renames ACCESS_LOG to ACCESS_LOG.<time>-<seq>, tells nginx (NGINX_PID) to open it
anew and waits until it did. No line is lost: until then nginx goes on writing
into the renamed file, and both are read. The built-in beacon's log is rotated
by the daemon itself (ROTATE_CRON).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if cfg.AccessLog == "" || cfg.NginxPID == "" {
				return errors.New("rotate: set ACCESS_LOG to nginx's beacon log and NGINX_PID to its pid file; without nginx the daemon rotates its own log by ROTATE_CRON")
			}
			r := nginx.Rotator{Log: cfg.AccessLog, PIDFile: cfg.NginxPID}
			done, err := r.Rotate(cmd.Context())
			if err != nil {
				return err
			}
			if done.Name == "" {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "the log is empty; nothing to rotate")
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "rotated %s (%d bytes) to %s\n", cfg.AccessLog, done.Size, done.Name)
			return err
		},
	}
}
