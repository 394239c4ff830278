#include "ocspd/health.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define PREFIX	"csrmail_ocspd_"
#define CLOCK_SLACK_S	300	/* a clock may be set, that much */

/* --- health ----------------------------------------------------------------- */

struct trouble {
	struct buf	*out;
	size_t		 n;
};

__attribute__((format(printf, 2, 3))) static void
say(struct trouble *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* No quotation mark or backslash: counters_get_cas sees to names. */
	buf_printf(t->out, "%s\"%s\"", t->n++ > 0 ? ", " : "", text);
}

static void
put_when(int64_t t, char out[32])
{
	time_t at = (time_t)t;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

static void
look_at_responder(struct trouble *t, const struct counters_view *view,
    int64_t now)
{
	struct counted_ca cas[COUNTERS_MAX_CAS];
	int64_t read_at = (int64_t)counters_get(view, COUNT_STORE_READ_AT);
	size_t n = counters_get_cas(view, cas);
	char when[32];

	put_when(read_at, when);
	if (read_at == 0)
		say(t, "the store was not read yet");
	else if (now - read_at > (int64_t)counters_get(view,
	    COUNT_STORE_MAX_AGE))
		say(t, "the store was last read at %s", when);
	else if (read_at - now > CLOCK_SLACK_S)
		say(t, "the clock went back: answers say %s; restart ocspd "
		    "once it is right", when);
	if (read_at != 0 && n == 0)
		say(t, "no CA has certified this responder yet");
	for (size_t i = 0; i < n; i++) {
		int64_t life = cas[i].not_after - cas[i].not_before;

		put_when(cas[i].not_after, when);
		if (cas[i].not_after <= now)
			say(t, "%s: no valid responder certificate: see the "
			    "spool and csrmaild", cas[i].name);
		/* Renewed at half of its life: here something hinders it. */
		else if (cas[i].not_after - now < life / 4)
			say(t, "%s: the responder certificate ends at %s and "
			    "is not renewed", cas[i].name, when);
	}
}

bool
health_put_json(struct buf *out, const struct health_source *sources,
    size_t n, int64_t now)
{
	OWNED_BUF(list, 1u << 20);
	struct trouble t = { .out = &list };

	for (size_t i = 0; i < n; i++)
		if (sources[i].view == NULL)
			say(&t, "%s does not run", sources[i].name);
	if (n > 0 && sources[0].view != NULL)
		look_at_responder(&t, sources[0].view, now);
	buf_printf(out, "{\"status\": \"%s\", \"trouble\": [",
	    t.n == 0 ? "ok" : "trouble");
	buf_append_bytes(out, buf_bytes(&list));
	buf_append_str(out, "]}\n");
	return t.n == 0;
}

/* --- metrics ------------------------------------------------------------------ */

static void
put_head(struct buf *out, const char *name, const char *help, bool gauge)
{
	buf_printf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
	    name, help, name, gauge ? "gauge" : "counter");
}

/* Of which process a counter is: fronts have those up to the first of the
 * responder's. */
static bool
counts(size_t source, enum counter which)
{
	return (source == 0) == (which >= COUNT_SIGNATURES);
}

static void
put_counter(struct buf *out, const struct health_source *sources, size_t n,
    enum counter which)
{
	const struct counter_text *text = counter_text(which);
	const char *comma = text->labels[0] == '\0' ? "" : ",";

	if (which == 0 || strcmp(counter_text(which - 1)->name,
	    text->name) != 0)
		put_head(out, text->name, text->help, text->gauge);
	for (size_t i = 0; i < n; i++)
		if (sources[i].view != NULL && counts(i, which))
			buf_printf(out, PREFIX "%s{process=\"%s\"%s%s} %"
			    PRIu64 "\n", text->name, sources[i].name, comma,
			    text->labels, counters_get(sources[i].view,
			    which));
}

static void
put_cas(struct buf *out, const struct counters_view *view)
{
	struct counted_ca cas[COUNTERS_MAX_CAS];
	size_t n = counters_get_cas(view, cas);

	put_head(out, "responder_certificate_not_after_seconds",
	    "When the certificate that signs for a CA ends; 0: there is none.",
	    true);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, PREFIX "responder_certificate_not_after_seconds"
		    "{ca=\"%s\"} %" PRId64 "\n", cas[i].name,
		    cas[i].not_after);
}

void
health_put_metrics(struct buf *out, const struct health_source *sources,
    size_t n, int64_t now)
{
	OWNED_BUF(json, 1u << 20);
	bool healthy = health_put_json(&json, sources, n, now);

	put_head(out, "healthy", "1 when /health says ok.", true);
	buf_printf(out, PREFIX "healthy %d\n", healthy);
	put_head(out, "up", "1 when the process runs.", true);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, PREFIX "up{process=\"%s\"} %d\n",
		    sources[i].name, sources[i].view != NULL);
	for (enum counter which = 0; which < N_COUNTERS; which++)
		put_counter(out, sources, n, which);
	if (n > 0 && sources[0].view != NULL)
		put_cas(out, sources[0].view);
}
