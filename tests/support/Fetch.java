import java.net.HttpURLConnection;
import java.net.URL;
import javax.net.ssl.SSLException;

/*
 * A Java program that opens https URLs (its arguments) and knows nothing of
 * revocation: whether it is checked, and how, is up to the options it is
 * started with. A line for each: "ok" for whatever the server answers, or why
 * there is no connection.
 */
class Fetch {
	private static String
	fetch(String url) throws Exception
	{
		try {
			((HttpURLConnection)new URL(url).openConnection())
			    .getResponseCode();
			return "ok";
		} catch (SSLException e) {
			return why(e);
		}
	}

	/* The innermost reason. */
	private static String
	why(Throwable e)
	{
		while (e.getCause() != null)
			e = e.getCause();
		return e.getClass().getSimpleName() + ": " + e.getMessage();
	}

	public static void
	main(String[] urls) throws Exception
	{
		for (String url : urls)
			System.out.println(fetch(url));
	}
}
