#include "csrmaild/import.h"
#include "common/err.h"
#include "csrmaild/crl_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
by_serial(const void *a, const void *b)
{
	const struct crl_entry *x = a, *y = b;

	if (x->serial.len != y->serial.len)
		return x->serial.len < y->serial.len ? -1 : 1;
	return memcmp(x->serial.octets, y->serial.octets, x->serial.len);
}

const struct crl_entry *
import_find_on_crl(const struct crl_read *crl, const struct serial *serial)
{
	struct crl_entry key = { .serial = *serial };

	return crl->n == 0 ? NULL : bsearch(&key, crl->entries, crl->n,
	    sizeof(key), by_serial);
}

/* crlnumber has the next one, in hexadecimal digits. */
static int
next_number(const char *path, uint64_t *out)
{
	char text[64] = "", *end;
	FILE *f = fopen(path, "re");
	unsigned long long n;

	if (f == NULL || fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	if (f != NULL)
		fclose(f);
	text[strcspn(text, "\r\n")] = '\0';
	errno = 0;
	n = strtoull(text, &end, 16);
	if (text[0] == '\0' || text[0] == '-' || *end != '\0' || errno != 0 ||
	    n > INT64_MAX)
		return -1;
	*out = n;
	return 0;
}

int
import_read_crl(struct import_source *s, struct bytes ca,
    struct import_report *report, uint64_t *out, struct err *err)
{
	struct crl_read crl = { 0 };
	uint64_t next = 0;
	char why[160];
	int r;

	*out = 0;
	if (s->crl_number != NULL) {
		if (next_number(s->crl_number, &next) < 0)
			import_report_note(report, NOTE_CRL_NUMBER,
			    "%s holds no number that can go on",
			    s->crl_number);
		else if (next > 0)
			*out = next - 1;
	}
	if (s->crl == NULL)
		return 0;
	r = crl_read_file(s->crl, &ca, 1, &crl, why, err);
	if (r > 0)
		import_report_note(report, NOTE_CRL_NUMBER, "%s: %s", s->crl,
		    why);
	if (r == 0 && crl.terms.number > *out) {
		if (s->crl_number != NULL)
			import_report_note(report, NOTE_CRL_NUMBER,
			    "the last CRL has the number %llu, above what %s "
			    "says", (unsigned long long)crl.terms.number,
			    s->crl_number);
		*out = crl.terms.number;
	}
	if (r == 0 && crl.n_odd > 0) {
		import_report_note(report, NOTE_CRL_NUMBER, "%s has %u "
		    "entries that cannot be read", s->crl, crl.n_odd);
		report->lost += crl.n_odd;
	}
	if (crl.n > 0)
		qsort(crl.entries, crl.n, sizeof(*crl.entries), by_serial);
	crl_read_free(&s->last);
	s->last = crl;
	return r < 0 ? -1 : 0;
}
