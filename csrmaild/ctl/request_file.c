#include "csrmaild/ctl/request_file.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/parser.h"
#include "csrmaild/wire.h"

#include "common/csr.h"
#include "common/err.h"

#define MAX_FILE	(1u << 20)

int
request_file_read(struct ctl *ctl, const char *path, struct csr **out,
    struct err *err)
{
	OWNED_BUF(file, MAX_FILE);
	OWNED_BUF(answer, WIRE_MAX_FINDINGS);
	OWNED_STRUCT(findings) *found = NULL;
	struct wire_examine m = { .id = 1, .kind = EXAMINE_CSR,
		.max_depth = 1, .max_parts = 1, .max_header_octets = 1024 };
	struct cursor c;

	if (ctl_read_file(ctl, path, &file, err) != 0)
		return -1;
	m.octets = buf_bytes(&file);
	if (parser_examine(&m, &answer, err) != 0)
		return -1;
	c = CURSOR(buf_bytes(&answer));
	get_findings(&c, &found);
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT, "broken findings");
	if (found->status != FINDINGS_OK)
		return err_set(err, ERR_REJECT, "%s", found->text);
	if (found->n_candidates != 1)
		return ctl_fail(ctl, EX_DATAERR, err, "%s holds %zu requests, "
		    "and must hold one", path, found->n_candidates);
	if (!found->candidates[0].good)
		return err_set(err, ERR_REJECT, "%s",
		    found->candidates[0].text);
	return csr_read(found->candidates[0].der, out, err);
}
