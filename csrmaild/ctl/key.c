#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/key_digest.h"

#include "common/err.h"

#include <string.h>

/* Keys that are never certified again. */
#define MAX_LIST	(64u << 20)
#define CHUNK		32768		/* octets of lines in one call */
#define SPKI_DIGITS	64
#define MODULUS_DIGITS	20

static const struct column list_columns[] = {
	{ "ID",		"id",		0 },
	{ "KEY (SHA-256)", "spki_sha256", 0 },
	{ "KIND",	"kind",		0 },
	{ "SINCE",	"at",		0 },
	{ "REASON",	"reason",	60 },
};

int
ctl_key_list(struct ctl *ctl, struct err *err)
{
	json_t *args = json_object(), *rows = NULL;
	int r = client_list(ctl, "keys", args, &rows, err);

	json_decref(args);
	if (r != 0)
		return -1;
	table_print(ctl, rows, list_columns,
	    sizeof(list_columns) / sizeof(list_columns[0]));
	json_decref(rows);
	return 0;
}

static bool
is_hex(const char *text, size_t digits)
{
	return strspn(text, "0123456789abcdefABCDEF") == digits &&
	    text[digits] == '\0';
}

int
ctl_key_block(struct ctl *ctl, struct err *err)
{
	static const struct column columns[] = {
		{ "key (SHA-256)",	"spki_sha256",	0 },
		{ "kind",		"kind",		0 },
		{ "revoked",		"revoked",	0 },
	};
	const char *reason = ctl_option(ctl, "reason");
	char hex[KEY_DIGEST_HEX_SIZE];
	json_t *args, *answer = NULL;
	int r;

	if (key_digest_obtain(ctl, ctl->args[0], hex, err) != 0)
		return -1;
	args = json_pack("{s:s, s:i}", "key", hex, "compromised",
	    ctl_option(ctl, "compromised") != NULL);
	if (reason != NULL)
		json_object_set_new(args, "reason", json_string(reason));
	r = client_post(ctl, "keys/block", args, &answer, err);
	json_decref(args);
	if (r != 0)
		return -1;
	table_print_object(ctl, answer, columns,
	    sizeof(columns) / sizeof(columns[0]));
	json_decref(answer);
	return 0;
}

/* --- lists --------------------------------------------------------------- */

struct import {
	struct buf	 lines;		/* what goes with the next call */
	json_int_t	 n_lines, n_new;
};

static int
send_lines(struct ctl *ctl, struct import *import, struct err *err)
{
	json_t *args, *answer = NULL;
	int r;

	if (import->lines.len == 0)
		return 0;
	args = json_pack("{s:s, s:s}", "lines", buf_str(&import->lines),
	    "reason", "from an imported list");
	r = client_post(ctl, "keys/import", args, &answer, err);
	json_decref(args);
	if (r != 0)
		return -1;
	import->n_lines += json_integer_value(json_object_get(answer,
	    "lines"));
	import->n_new += json_integer_value(json_object_get(answer, "new"));
	json_decref(answer);
	buf_clear(&import->lines);
	return 0;
}

/* One line without its end; comments and empty ones are passed over. */
static int
take_line(struct ctl *ctl, struct import *import, struct bytes line,
    unsigned int number, struct err *err)
{
	char hex[SPKI_DIGITS + 2];

	while (line.len > 0 && strchr(" \t\r", line.data[line.len - 1]) !=
	    NULL && line.data[line.len - 1] != '\0')
		line.len--;
	if (line.len == 0 || line.data[0] == '#')
		return 0;
	snprintf(hex, sizeof(hex), "%.*s", (int)(line.len < sizeof(hex) ?
	    line.len : sizeof(hex)), (const char *)line.data);
	if (!is_hex(hex, SPKI_DIGITS) && !is_hex(hex, MODULUS_DIGITS))
		return ctl_fail(ctl, EX_DATAERR, err, "%s:%u: neither %d nor "
		    "%d hexadecimal digits; what stood above it is imported",
		    ctl->args[0], number, SPKI_DIGITS, MODULUS_DIGITS);
	if (buf_printf(&import->lines, "%s\n", hex) != 0)
		return err_set(err, ERR_RETRY, "out of memory");
	return import->lines.len < CHUNK ? 0 : send_lines(ctl, import, err);
}

static int
take_lines(struct ctl *ctl, struct import *import, struct bytes in,
    struct err *err)
{
	for (unsigned int number = 1; in.len > 0; number++) {
		size_t end = bytes_find(in, bytes_of("\n"));
		struct bytes line = bytes_slice(in, 0, end);

		if (take_line(ctl, import, line, number, err) != 0) {
			struct err later;

			/* As it says. */
			if (ctl->exit_code == EX_DATAERR)
				send_lines(ctl, import, &later);
			return -1;
		}
		in = bytes_slice(in, line.len + 1, in.len);
	}
	return send_lines(ctl, import, err);
}

int
ctl_key_import(struct ctl *ctl, struct err *err)
{
	static const struct column columns[] = {
		{ "lines",	"lines",	0 },
		{ "new",	"new",		0 },
	};
	OWNED_BUF(file, MAX_LIST);
	struct import import = { .lines = BUF(2 * CHUNK) };
	json_t *out;
	int r;

	if (ctl_read_file(ctl, ctl->args[0], &file, err) != 0)
		return -1;
	r = take_lines(ctl, &import, buf_bytes(&file), err);
	buf_free(&import.lines);
	if (r != 0)
		return -1;
	out = json_pack("{s:I, s:I}", "lines", import.n_lines, "new",
	    import.n_new);
	table_print_object(ctl, out, columns,
	    sizeof(columns) / sizeof(columns[0]));
	json_decref(out);
	return 0;
}
