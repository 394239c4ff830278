/*
 * Decoded text, in which PEM, quotes and wishes are looked for: every step goes
 * on, what is found lies within the text, and nothing grows. What is a wish can
 * be put into a frame and read out of it again.
 */
#include "csrmaild/pem.h"
#include "csrmaild/quote.h"
#include "csrmaild/text_line.h"
#include "csrmaild/wire.h"
#include "csrmaild/wish.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool so)
{
	if (!so)
		abort();
}

static void
find_blocks(struct bytes text)
{
	const uint8_t *end = text.data + text.len;
	struct pem_block block;

	while (text.len > 0) {
		struct bytes before = text;
		OWNED_BUF(der, 65536);
		struct err err;

		if (!pem_next(&text, &block))
			break;
		must(text.len < before.len);
		must(text.len == 0 || text.data + text.len == end);
		must(block.body.len == 0 || (block.body.data >= before.data &&
		    block.body.data + block.body.len <= end));
		must(block.label[0] != '\0' &&
		    strlen(block.label) <= PEM_LABEL_MAX);
		must(pem_decode(&block, &der, &err) == -1 || (block.ended &&
		    der.len > 0 && der.len < block.body.len));
	}
	must(text.len == 0);
}

static void
take_lines(struct bytes text)
{
	size_t octets = 0, all = text.len;

	while (text.len > 0) {
		bool quoted = false;
		struct bytes line = text_line_take(&text);

		must(line.len > 0);
		octets += line.len;
		must(text_line_strip(line, &quoted).len <= line.len);
	}
	must(octets == all);
}

static void
find_wishes(struct bytes text)
{
	OWNED_STRUCT(findings) *found = calloc(1, sizeof(*found));
	OWNED_STRUCT(findings) *again = NULL;
	OWNED_BUF(frame, WIRE_MAX_FINDINGS);
	struct cursor c;
	struct err err;

	must(found != NULL);
	found->status = FINDINGS_OK;
	if (wish_find(text, found, &err) == -1)
		must(err.kind == ERR_REJECT &&
		    found->n_wishes == WIRE_MAX_WISHES);
	put_findings(&frame, found);
	c = CURSOR(buf_bytes(&frame));
	get_findings(&c, &again);
	must(cursor_end(&c) && again->n_wishes == found->n_wishes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes text = { data, len }, flowed;
	struct pem_leak leak = { 0 };
	OWNED_BUF(room, 0);

	if (len == 0)
		return 0;
	must(quote_find_forwarded(text) <= len);
	flowed = text_unflow(text, data[0] % 2 == 0, &room);
	must(!room.failed && flowed.len <= len);
	take_lines(text);
	find_blocks(text);
	find_wishes(text);
	pem_find_leak(text, &leak);
	pem_find_der_leak(text, &leak);
	must(leak.found || !leak.has_public);
	return 0;
}
