#ifndef COMMON_OWNED_H
#define COMMON_OWNED_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <unistd.h>

/*
 * OWNED(X509) *cert = NULL;  declares a pointer that is freed when its scope
 * ends, by every way out. TAKE(cert) hands it on: it yields the pointer and
 * leaves NULL behind, so the scope no longer owns anything.
 *
 * For a struct of ours: OWNED_STRUCT(findings) *found = NULL; needs
 * OWNED_STRUCT_BY(findings, findings_free) in its header.
 */
#define OWNED(type)	__attribute__((cleanup(type##_release))) type
#define OWNED_STRUCT(tag) __attribute__((cleanup(tag##_release))) struct tag
#define TAKE(p) __extension__ ({			\
	__typeof__(p) taken_ = (p);			\
	(p) = NULL;					\
	taken_;						\
})
#define OWNED_BY(type, free_fn)				\
	static inline void				\
	type##_release(type **p)			\
	{						\
		free_fn(*p);				\
	}
#define OWNED_STRUCT_BY(tag, free_fn)			\
	static inline void				\
	tag##_release(struct tag **p)			\
	{						\
		free_fn(*p);				\
	}

OWNED_BY(X509, X509_free)
OWNED_BY(X509_REQ, X509_REQ_free)
OWNED_BY(X509_CRL, X509_CRL_free)
OWNED_BY(X509_REVOKED, X509_REVOKED_free)
OWNED_BY(X509_NAME, X509_NAME_free)
OWNED_BY(X509_PUBKEY, X509_PUBKEY_free)
OWNED_BY(X509_EXTENSION, X509_EXTENSION_free)
OWNED_BY(ASN1_INTEGER, ASN1_INTEGER_free)
OWNED_BY(ASN1_ENUMERATED, ASN1_ENUMERATED_free)
OWNED_BY(ASN1_TIME, ASN1_TIME_free)
OWNED_BY(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free)
OWNED_BY(EVP_PKEY, EVP_PKEY_free)
OWNED_BY(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free)
OWNED_BY(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
OWNED_BY(BIO, BIO_free_all)
OWNED_BY(BIGNUM, BN_free)
OWNED_BY(BN_CTX, BN_CTX_free)
OWNED_BY(GENERAL_NAMES, GENERAL_NAMES_free)

/* OWNED_HEAP(char) *s = NULL;  whatever free(3) frees. */
#define OWNED_HEAP(type)	__attribute__((cleanup(heap_release))) type
static inline void
heap_release(void *p)
{
	free(*(void **)p);
}

/* OWNED_FD fd = -1;  closed when its scope ends. */
#define OWNED_FD	__attribute__((cleanup(fd_release))) int
static inline void
fd_release(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define TAKE_FD(fd) __extension__ ({			\
	int taken_ = (fd);				\
	(fd) = -1;					\
	taken_;						\
})

#endif
