#include "csrmaild/signer.h"
#include "common/ca.h"
#include "common/err.h"
#include "csrmaild/settings.h"

/* One address; "" stays "". */
static int
expand(const char *pattern, const struct signer_ca *ca, unsigned int shard,
    bool delta, char out[SIGNER_URL_SIZE], struct err *err)
{
	char infix[CA_INFIX_SIZE];

	ca_crl_infix(shard, delta, infix, sizeof(infix));
	if (ca_expand_url(pattern, ca->name, infix, out,
	    SIGNER_URL_SIZE) == 0)
		return 0;
	return err_set(err, ERR_FAULT,
	    "an address of %s is longer than %d octets", ca->name,
	    CRL_URL_MAX);
}

int
signer_issuer(const struct signer_ca *ca, uint16_t shard,
    struct signer_addresses *to, struct issuer *out, struct err *err)
{
	const struct issuer *from = &ca->issuer;

	if (expand(from->ocsp_url, ca, 0, false, to->ocsp, err) < 0 ||
	    expand(from->ca_url, ca, 0, false, to->ca, err) < 0 ||
	    expand(from->crl_url, ca, shard, false, to->crl, err) < 0)
		return -1;
	*out = *from;
	out->ocsp_url = to->ocsp;
	out->ca_url = to->ca;
	out->crl_url = to->crl;
	return 0;
}

/*
 * A shard names itself as its certificates do (RFC 5280, 5.2.5). What has no
 * shard covers all certificates of the CA and needs no such extension.
 */
int
signer_crl_addresses(const struct signer *s, const struct signer_ca *ca,
    struct crl_terms *terms, struct signer_addresses *to, struct err *err)
{
	const struct ca_settings *set = settings_ca(s->settings, ca->name);
	const char *pattern = ca->issuer.crl_url;
	bool delta = set != NULL && set->delta_interval_s != 0 &&
	    terms->base == 0;

	if (terms->shard != 0 && !ca_url_has_place(pattern))
		return err_set(err, ERR_FAULT, "%s had several CRLs: crl_url "
		    "must have \"{ca}\" in it as long as their certificates "
		    "live", ca->name);
	if (expand(pattern, ca, terms->shard, false, to->crl, err) < 0 ||
	    expand(pattern, ca, terms->shard, true, to->delta, err) < 0)
		return -1;
	terms->point = terms->shard != 0 ? to->crl : NULL;
	terms->freshest = delta ? to->delta : NULL;
	return 0;
}
