import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.security.GeneralSecurityException;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/*
 * What PKIX of Java says to chains: reads lines of file names, the root first,
 * then the certificate, then what stands between the two, and answers each
 * with a line: "ok", or why not. Does not ask for revocation.
 */
public class Chains {
	private static final CertificateFactory FACTORY = factory();

	private static CertificateFactory
	factory()
	{
		try {
			return CertificateFactory.getInstance("X.509");
		} catch (GeneralSecurityException e) {
			throw new IllegalStateException(e);
		}
	}

	private static X509Certificate
	read(String path) throws IOException, GeneralSecurityException
	{
		try (FileInputStream in = new FileInputStream(path)) {
			return (X509Certificate)
			    FACTORY.generateCertificate(in);
		}
	}

	private static String
	validate(String[] paths) throws IOException
	{
		try {
			List<X509Certificate> chain = new ArrayList<>();
			PKIXParameters terms = new PKIXParameters(Set.of(
			    new TrustAnchor(read(paths[0]), null)));

			for (int i = 1; i < paths.length; i++)
				chain.add(read(paths[i]));
			terms.setRevocationEnabled(false);
			CertPathValidator.getInstance("PKIX").validate(
			    FACTORY.generateCertPath(chain), terms);
			return "ok";
		} catch (GeneralSecurityException e) {
			return e.getMessage().replace('\n', ' ');
		}
	}

	public static void
	main(String[] args) throws IOException
	{
		BufferedReader in = new BufferedReader(
		    new InputStreamReader(System.in));
		String line;

		while ((line = in.readLine()) != null)
			System.out.println(validate(line.split(" ")));
	}
}
