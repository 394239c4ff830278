#include "csrmaild/import.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const titles[N_NOTES] = {
	[NOTE_LINE] = "lines that cannot be read, left out",
	[NOTE_SALVAGED] = "that cannot be read, taken as revoked",
	[NOTE_ON_CRL] = ("on the last CRL and not revoked elsewhere, taken as "
	    "revoked"),
	[NOTE_DOUBLE] = "serials that stand there twice",
	[NOTE_NO_CERTIFICATE] = "on record without their certificate",
	[NOTE_NOT_IN_INDEX] = "certificates not in the index, taken as issued",
	[NOTE_CERTIFICATE] = "certificates that cannot be read",
	[NOTE_OTHER_CA] = "certificates of another CA or key, left out",
	[NOTE_WEAK] = "with a weak key",
	[NOTE_REASON] = "with an unknown reason, taken as unspecified",
	[NOTE_FUTURE] = "with a date in the future",
	[NOTE_DATES] = "with a date that is missing or contradicts",
	[NOTE_CRL_NUMBER] = "troubles with the number of CRLs",
};

const char *
import_note_title(enum import_note note)
{
	return titles[note];
}

void
import_report_note(struct import_report *r, enum import_note note,
    const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (r->quiet)
		return;
	r->notes[note]++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* What others wrote never reaches a terminal raw. */
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (r->file != NULL)
		fprintf(r->file, "%s: %s\n", titles[note], text);
	if (r->n_shown < IMPORT_SHOWN &&
	    (r->shown[r->n_shown] = strdup(text)) != NULL)
		r->n_shown++;
}

static bool
knows(const struct import_report *r, const char *url, size_t len)
{
	for (size_t i = 0; i < r->n_urls; i++)
		if (strlen(r->urls[i]) == len &&
		    memcmp(r->urls[i], url, len) == 0)
			return true;
	return false;
}

void
import_report_url(struct import_report *r, const char *urls)
{
	while (*urls != '\0' && r->n_urls < IMPORT_URLS) {
		size_t len = strcspn(urls, " ");

		if (len > 0 && !knows(r, urls, len) &&
		    (r->urls[r->n_urls] = strndup(urls, len)) != NULL)
			r->n_urls++;
		urls += len + (urls[len] == ' ');
	}
}

void
import_report_free(struct import_report *r)
{
	while (r->n_urls > 0)
		free(r->urls[--r->n_urls]);
	while (r->n_shown > 0)
		free(r->shown[--r->n_shown]);
}
