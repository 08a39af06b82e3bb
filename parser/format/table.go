package format

import (
	"slices"
	"strings"
)

// named is a format that people have: its name, its text, and whose it is.
type named struct{ name, text, whose string }

// ncsa is what most servers write at most.
const ncsa = `$remote_addr $ident $remote_user [$time_local] "$request" $status $bytes`

// table is all names of formats, in the order in which a log is tried by them. "$..."
// is anything. Where a server does not escape quotes the format says so.
var table = []named{
	{"common", ncsa, "NCSA common: Apache, Caddy 1, many more"},
	{"vcombined", `$host ` + ncsa + ` "$http_referer" "$http_user_agent"$...`, "Apache's vhost_combined: the host stands first"},
	{"vcommon", `$host ` + ncsa, "common with the host first"},
	{"apache-ms", `%h %l %u [%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] "%r" %>s %b "%{Referer}i" "%{User-Agent}i"$...`, "Apache's combined with milliseconds"},
	// https://doc.traefik.io/traefik/observability/access-logs/
	{"traefik", `escape=none ` + ncsa + ` "$http_referer" "$http_user_agent" $requests "$router" "$server" ${request_time_ms}ms`, "Traefik's CLF: combined with the time each request took"},
	{"traefik-json", "json:time=StartUTC,time=time,addr=ClientHost,addr=ClientAddr,status=DownstreamStatus,method=RequestMethod,uri=RequestPath," +
		"host=RequestHost,host=RequestAddr,remote_user=ClientUsername,request_time_ns=Duration,body_bytes_sent=DownstreamContentSize," +
		"user_agent=request_User-Agent,referer=request_Referer,forwarded_for=request_X-Forwarded-For,sec_gpc=request_Sec-Gpc,sec_purpose=request_Sec-Purpose,accept_language=request_Accept-Language", "Traefik's JSON"},
	// https://caddyserver.com/docs/logging
	{"caddy", "json:time=ts,addr=request.client_ip,addr=request.remote_ip,addr=request.remote_addr,status=status,method=request.method,uri=request.uri,host=request.host," +
		"remote_user=user_id,request_time=duration,body_bytes_sent=size,user_agent=request.headers.User-Agent.0,referer=request.headers.Referer.0," +
		"forwarded_for=request.headers.X-Forwarded-For.0,sec_gpc=request.headers.Sec-Gpc.0,sec_purpose=request.headers.Sec-Purpose.0,accept_language=request.headers.Accept-Language.0", "Caddy 2's JSON"},
	{"caddy-clf", `escape=none ` + ncsa + ` "$http_referer" "$http_user_agent"`, "Caddy 2's transform encoder: {common_log} with Referer and User-Agent"},
	// https://docs.haproxy.org/ section 8.2.3, behind whatever syslog puts before it
	{"haproxy", `escape=none $...$remote_addr_port [$time] $frontend $backend $t1/$t2/$t3/$t4/$request_time_ms $status $bytes $cookie1 $cookie2 $state $conns $queues $..."$request"$...`, "HAProxy's HTTP log (option httplog)"},
	// IIS 7 and later, as it is installed
	{"iis", w3cMark + " date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken", "IIS, its fields as installed"},
	// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
	{"cloudfront", w3cMark + " date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type " +
		"x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status " +
		"fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end", "CloudFront's standard log"},
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
	{"alb", wholeMark + `escape=none $type $time $elb $remote_addr_port $target $t1 $request_time $t3 $status $tstatus $received $bytes "$request" "$http_user_agent" $...`, "AWS Application Load Balancer"},
	{"elb", wholeMark + `escape=none $time $elb $remote_addr_port $backend $t1 $request_time $t3 $status $bstatus $received $bytes "$request" "$http_user_agent" $...`, "AWS Classic Load Balancer"},
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
	{"s3", `escape=none $owner $bucket [$time] $remote_addr $requester $request_id $operation $key "$request" $status $error $bytes $size $request_time_ms $turnaround "$http_referer" "$http_user_agent" $version $hostid $signature $cipher $auth $host $...`, "AWS S3"},
	// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/
	{"ingress-nginx", `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time ` +
		`[$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`, "ingress-nginx"},
	// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
	{"envoy", `escape=none [$time] "$request" $status $flags $received $bytes $request_time_ms $upstream "$http_x_forwarded_for" "$http_user_agent" "$request_id" "$host" "$upstream_host"$...`, "Envoy's default"},
	{"varnish", wholeMark + `%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i"`, "varnishncsa's default"},
	{"lighttpd", `$remote_addr $host $remote_user [$time_local] "$request" $status $bytes "$http_referer" "$http_user_agent"`, "lighttpd's default: the host stands second"},
	{"ovh", `$remote_addr $host $remote_user [$time_local] "$request" $status $bytes "$http_referer" "$http_user_agent"`, "OVH's hosting"},
	{"gandi", `$host $remote_addr $ident $remote_user [$time_local] ($request_time) "$request" $status $bytes "$http_referer" "$http_user_agent"`, "Gandi's simple hosting"},
}

// Named is the text of a format that has a name.
func Named(name string) (text string, ok bool) {
	i := slices.IndexFunc(table, func(n named) bool { return strings.EqualFold(n.name, name) })
	if i < 0 {
		return "", false
	}
	return table[i].text, true
}

// Names lists all names, in the order in which a log is tried by them.
func Names() []string {
	var all []string
	for _, n := range table {
		all = append(all, n.name)
	}
	return all
}

// Whose says who writes the format of a name.
func Whose(name string) string {
	for _, n := range table {
		if n.name == name {
			return n.whose
		}
	}
	return ""
}
