#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	const char	*program;
	const char	*role;
	enum log_level	 least;
} log_self = { "csrmail", "", LOG_LEVEL_INFO };

void
log_open(const char *program, const char *role, enum log_level least)
{
	log_self.program = program;
	log_self.role = role;
	log_self.least = least;
}

static void
put_escaped(FILE *f, const char *text)
{
	fputc('"', f);
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

void
log_event(enum log_level level, const char *event,
    const struct log_field *fields)
{
	static const char *const names[] = { "debug", "info", "warn",
		"error" };
	char line[2048];
	FILE *f;
	size_t len;

	if (level < log_self.least)
		return;
	/* Built first and written at once, so that roles do not mix lines. */
	f = fmemopen(line, sizeof(line) - 1, "w");
	if (f == NULL)
		return;
	fprintf(f, "%s%s%s level=%s event=%s", log_self.program,
	    log_self.role[0] == '\0' ? "" : ": ", log_self.role, names[level],
	    event);
	for (; fields->key != NULL; fields++) {
		fprintf(f, " %s=", fields->key);
		if (fields->text == NULL)
			fprintf(f, "%lld", (long long)fields->number);
		else
			put_escaped(f, fields->text);
	}
	fflush(f);
	len = (size_t)ftell(f);
	fclose(f);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;	/* there is nowhere left to say so */
}
