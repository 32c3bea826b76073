/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets sealed by a TPM 2.0, by tpm2-tss: a data object below a storage key that the TPM makes anew from its owner seed each time, so
 * that nothing has to be kept in it. The blob is the object's public and private part; no other TPM, and not this one after it was
 * cleared, can open it. It is bound to no PCR: a new kernel must not lock the log. What goes over the bus is encrypted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "tamis/seal.h"

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR primary, session;
};

static int failed(TSS2_RC rc, const char *what, char *why, size_t size)
{
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	snprintf(why, size, "%s: %s", what, Tss2_RC_Decode(rc));
	return -1;
}

static TSS2_RC make_primary(struct tpm *t)
{
	static const TPM2B_PUBLIC template = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
					    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_NODA,
			.parameters.eccDetail = {
				.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
				.scheme.scheme = TPM2_ALG_NULL,
				.curveID = TPM2_ECC_NIST_P256,
				.kdf.scheme = TPM2_ALG_NULL,
			},
		},
	};
	const TPM2B_SENSITIVE_CREATE nothing = { .size = 0 };
	const TPM2B_DATA outside = { .size = 0 };
	const TPML_PCR_SELECTION none = { .count = 0 };

	return Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &nothing,
				  &template, &outside, &none, &t->primary, NULL, NULL, NULL, NULL);
}

/* Salted with the primary key: whoever listens to the bus does not learn what is said in it. */
static TSS2_RC start_session(struct tpm *t)
{
	const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	const TPMA_SESSION both = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;
	TSS2_RC rc = Esys_StartAuthSession(t->esys, t->primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &t->session);

	return rc ? rc : Esys_TRSess_SetAttributes(t->esys, t->session, both, 0xff);
}

static int tpm_open(const char *where, void **ret, char *why, size_t size)
{
	struct tpm *t = calloc(1, sizeof(*t));

	if (!t) {
		snprintf(why, size, "no memory");
		return -1;
	}
	/* kept for as long as the process lives; its end frees what a resource manager holds for us */
	if (failed(Tss2_TctiLdr_Initialize(*where ? where : NULL, &t->tcti), "cannot reach the TPM", why, size) < 0 ||
	    failed(Esys_Initialize(&t->esys, t->tcti, NULL), "cannot speak to the TPM", why, size) < 0)
		return -1;
	/* one behind a resource manager, or of the firmware's, is started already, and says so */
	Esys_Startup(t->esys, TPM2_SU_CLEAR);
	if (failed(make_primary(t), "cannot make the TPM's storage key", why, size) < 0 ||
	    failed(start_session(t), "cannot begin a session with the TPM", why, size) < 0)
		return -1;
	*ret = t;
	return 0;
}

static int tpm_seal(void *s, const uint8_t *secret, size_t n, uint8_t ret[TAMIS_SEAL_BLOB], size_t *ret_n, char *why,
		    size_t size)
{
	static const TPM2B_PUBLIC template = {
		.publicArea = {
			.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_NODA,
			.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
		},
	};
	TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.data.size = (UINT16)n };
	const TPM2B_DATA outside = { .size = 0 };
	const TPML_PCR_SELECTION none = { .count = 0 };
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	struct tpm *t = s;
	TSS2_RC rc;

	if (n > sizeof(sensitive.sensitive.data.buffer)) {
		snprintf(why, size, "too much for a TPM");
		return -1;
	}
	memcpy(sensitive.sensitive.data.buffer, secret, n);
	rc = Esys_Create(t->esys, t->primary, ESYS_TR_PASSWORD, t->session, ESYS_TR_NONE, &sensitive, &template,
			 &outside, &none, &private, &public, NULL, NULL, NULL);
	explicit_bzero(&sensitive, sizeof(sensitive));
	*ret_n = 0;
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, ret, TAMIS_SEAL_BLOB, ret_n);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PRIVATE_Marshal(private, ret, TAMIS_SEAL_BLOB, ret_n);
	Esys_Free(private);
	Esys_Free(public);
	return failed(rc, "the TPM cannot seal the key", why, size);
}

static int tpm_unseal(void *s, const uint8_t *blob, size_t n, uint8_t ret[TAMIS_SEAL_SECRET], size_t *ret_n, char *why,
		      size_t size)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	TPM2B_PRIVATE private = { .size = 0 };
	TPM2B_PUBLIC public = { .size = 0 };
	struct tpm *t = s;
	size_t at = 0;
	ESYS_TR object;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob, n, &at, &public);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PRIVATE_Unmarshal(blob, n, &at, &private);
	if (failed(rc, "this is no key that a TPM has sealed", why, size) < 0)
		return -1;
	rc = Esys_Load(t->esys, t->primary, ESYS_TR_PASSWORD, t->session, ESYS_TR_NONE, &private, &public, &object);
	if (failed(rc, "another TPM has sealed it, or this one was cleared since", why, size) < 0)
		return -1;
	rc = Esys_Unseal(t->esys, object, ESYS_TR_PASSWORD, t->session, ESYS_TR_NONE, &data);
	Esys_FlushContext(t->esys, object);
	if (failed(rc, "the TPM does not open it", why, size) < 0)
		return -1;
	*ret_n = data->size <= TAMIS_SEAL_SECRET ? data->size : 0;
	memcpy(ret, data->buffer, *ret_n);
	explicit_bzero(data, sizeof(*data));
	Esys_Free(data);
	return 0;
}

__attribute__((visibility("default"))) const struct tamis_seal_module tamis_seal_module = {
	.version = TAMIS_SEAL_VERSION,
	.name = "TPM 2.0",
	.open = tpm_open,
	.seal = tpm_seal,
	.unseal = tpm_unseal,
};
