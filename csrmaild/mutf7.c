#include "csrmaild/mutf7.h"

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* The next character (RFC 3629, 4), 0 at the end, -1 when it is none. */
static int32_t
next_character(const unsigned char **at)
{
	static const struct {
		unsigned char	mask, lead;
		int		more;
		int32_t		least;
	} forms[] = {
		{ 0x80, 0x00, 0, 0 }, { 0xe0, 0xc0, 1, 0x80 },
		{ 0xf0, 0xe0, 2, 0x800 }, { 0xf8, 0xf0, 3, 0x10000 },
	};

	for (int i = 0; i < 4; i++) {
		const unsigned char *p = *at;
		int32_t c;

		if ((p[0] & forms[i].mask) != forms[i].lead)
			continue;
		c = p[0] & (unsigned char)~forms[i].mask;
		for (int k = 1; k <= forms[i].more; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return -1;
			c = c << 6 | (p[k] & 0x3f);
		}
		if (c < forms[i].least || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return -1;
		*at = p + forms[i].more + 1;
		return c;
	}
	return -1;
}

/* UTF-16 in base64, as far as it has come. */
struct run {
	uint32_t	bits;
	int		n_bits;
	bool		open;
};

static void
put_unit(struct run *run, uint32_t unit, struct buf *out)
{
	if (!run->open)
		buf_append_str(out, "&");
	run->open = true;
	run->bits = run->bits << 16 | unit;
	run->n_bits += 16;
	while (run->n_bits >= 6) {
		run->n_bits -= 6;
		buf_append(out, &alphabet[run->bits >> run->n_bits & 63], 1);
	}
}

static void
end_run(struct run *run, struct buf *out)
{
	if (!run->open)
		return;
	if (run->n_bits > 0)
		buf_append(out, &alphabet[run->bits << (6 - run->n_bits) &
		    63], 1);
	buf_append_str(out, "-");
	*run = (struct run){ 0 };
}

int
mutf7_encode(const char *utf8, struct buf *out, struct err *err)
{
	const unsigned char *at = (const unsigned char *)utf8;
	struct run run = { 0 };
	int32_t c;

	if (utf8[0] == '\0')
		return err_set(err, ERR_FAULT, "a folder without a name");
	while (*at != '\0') {
		c = next_character(&at);
		if (c < 0x20 || c == 0x7f)
			return err_set(err, ERR_FAULT, "the folder's name is "
			    "no UTF-8, or holds a control character");
		if (c < 0x7f) {
			end_run(&run, out);
			buf_append(out, &(char){ (char)c }, 1);
			if (c == '&')
				buf_append_str(out, "-");
		} else if (c < 0x10000) {
			put_unit(&run, (uint32_t)c, out);
		} else {
			put_unit(&run, 0xd800 + ((uint32_t)(c - 0x10000) >>
			    10), out);
			put_unit(&run, 0xdc00 + ((uint32_t)(c - 0x10000) &
			    0x3ff), out);
		}
	}
	end_run(&run, out);
	return out->failed ? err_set(err, ERR_FAULT,
	    "the folder's name is too long") : 0;
}
