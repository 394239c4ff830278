/*
 * OCSP requests: what the reader of fixed structure takes, OpenSSL's OCSP API
 * takes too, and both say the same.
 */
#include "ocspd/request.h"

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
compare(const struct request *a, const struct request *b)
{
	const struct cert_id *x = &a->ids[0], *y = &b->ids[0];

	must(a->n_ids == 1 && b->n_ids == 1);
	must(x->hash == y->hash && x->null_params == y->null_params);
	must(bytes_equal(x->name_hash, y->name_hash));
	must(bytes_equal(x->key_hash, y->key_hash));
	must(bytes_equal(x->serial, y->serial));
	must(bytes_equal(x->der, y->der));
	must(a->has_nonce == b->has_nonce && a->nonce_len == b->nonce_len);
	must(memcmp(a->nonce, b->nonce, a->nonce_len) == 0);
	must(a->n_preferred == b->n_preferred);
	must(a->is_signed == b->is_signed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct request common, general, either;
	struct bytes der = { data, len };
	struct cert_id id;
	bool read;

	memset(&common, 0, sizeof(common));
	memset(&general, 0, sizeof(general));
	read = request_read_common(der, &common);
	switch (request_read_general(der, 10, &general)) {
	case OCSP_SUCCESSFUL:
		must(general.n_ids >= 1 && general.n_ids <= 10);
		must(general.n_preferred <= SIGNATURES);
		if (read)
			compare(&common, &general);
		break;
	default:
		must(!read);
	}
	request_read(der, 10, &either);
	cert_id_read(der, &id);
	return 0;
}
