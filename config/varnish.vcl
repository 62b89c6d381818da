# Varnish in front of Everfeed: replays are served from here, and the server sees each page once.
#
#   everfeed serve --public-url http://localhost:8080
#   varnishd -a :8080 -f /path/to/this/varnish.vcl -s malloc,4g
#
# Change the lines marked "Yours". For Varnish 7.1 or later, without additional modules. Varnish keeps pages in memory:
# after a restart it fetches them again.
vcl 4.1;

import std;

# Yours: where Everfeed listens.
backend everfeed {
    .host = "127.0.0.1";
    .port = "2113";
    .connect_timeout = 2s;
    # Longer than the longest poll, 60 s.
    .first_byte_timeout = 75s;
    .between_bytes_timeout = 75s;
    # While Everfeed does not answer this, old copies are served for as long as it allows. One that is gone is found
    # out within two seconds; one that is only busy gets its time.
    .probe = {
        .url = "/health/live";
        .interval = 1s;
        .timeout = 5s;
        .window = 3;
        .threshold = 2;
        .initial = 3;
    }
}

sub vcl_recv {
    # Yours: the names clients use. Whoever asks for another has been misled, or misleads.
    if (req.http.Host !~ "(?i)^(localhost|127\.0\.0\.1)(:[0-9]+)?$") {
        return (synth(421));
    }
    # Yours: the host (and port, unless it is the usual one) of Everfeed's `public_url`. Everfeed hears this and not
    # what the client wrote, so that a page has one copy however its host is spelled.
    set req.http.Host = "localhost:8080";

    # What strangers say about where a request came in is not passed on. Who asks Varnish itself says: give Everfeed the
    # address of this proxy as one of `trusted_proxies`, or all who come through it are one client to its limits, and who
    # guesses passwords keeps out everybody.
    unset req.http.Forwarded;
    set req.http.X-Forwarded-For = client.ip;
    unset req.http.X-Forwarded-Host;
    unset req.http.X-Forwarded-Port;
    unset req.http.X-Forwarded-Prefix;
    unset req.http.X-Forwarded-Proto;
    # Everfeed has no use for cookies, and Varnish would keep nothing for whoever brings one.
    unset req.http.Cookie;

    # An event stream never ends, and what is passed on Varnish holds until its end: so the two ends are joined, and what
    # is sent comes through at once. (HTTP/2 cannot do that.)
    if (req.http.Accept ~ "(?i)text/event-stream" && req.proto !~ "HTTP/2") {
        return (pipe);
    }

    # What must reach Everfeed itself, told from the request alone: a response comes too late, for by then everybody
    # who asks for the same URL has been queued behind it. These bodies are passed on as they come.
    #
    # Whoever says who they are may be allowed more than others. Everfeed marks what not everybody may read as `private`,
    # whoever asks, and no such answer is kept below; so pages and events by their numbers, which never change, are looked
    # for in the cache for them too: what everybody may read comes from there. All else of theirs goes to Everfeed, with
    # their If-None-Match, which it answers with a few bytes.
    if (req.method != "GET" && req.method != "HEAD"
        || (req.http.Authorization
            && req.url !~ "^/streams/[^/?]+/[0-9]+(/(forward|backward)/[0-9]+)?(/data)?(\.[a-z]+)?(\?embed=[A-Za-z]+)?$")
        || req.url ~ "[?&]wait="
        || req.http.Prefer ~ "(?i)(^|[,;\s])wait\s*="
        || req.http.ES-LongPoll
        || req.http.Kurrent-LongPoll
        || req.http.Accept ~ "(?i)text/event-stream") {
        return (pass);
    }

    # While Everfeed is well, a copy is stale for no longer than its `stale-while-revalidate`; else see below.
    if (std.healthy(req.backend_hint)) {
        set req.grace = 2s;
    }
    return (hash);
}

sub vcl_backend_response {
    # A copy that is being renewed is better than a failure to renew it.
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }
    # Nothing is kept without Everfeed's word. For two minutes nobody queues for such an answer, either.
    if (!beresp.http.Cache-Control || beresp.http.Cache-Control ~ "(?i)no-store|no-cache|private") {
        set beresp.uncacheable = true;
        set beresp.ttl = 120s;
        return (deliver);
    }
    if (beresp.ttl > 0s) {
        # Long enough to ask after an old copy with If-None-Match instead of fetching it again.
        set beresp.keep = 10m;
        set beresp.grace = 0s;
        if (beresp.http.Cache-Control ~ "stale-if-error=[0-9]+") {
            set beresp.grace =
                std.duration(regsub(beresp.http.Cache-Control, ".*stale-if-error=([0-9]+).*", "\1") + "s", 0s);
        }
    }
    return (deliver);
}

sub vcl_deliver {
    if (obj.uncacheable) {
        set resp.http.X-Cache-Status = "PASS";
    } elsif (obj.hits > 0) {
        set resp.http.X-Cache-Status = "HIT";
    } else {
        set resp.http.X-Cache-Status = "MISS";
    }
}
