"""HTTP requests to servers: checked addresses, connections, time limits, redirects. Start with transport.py. This
package knows no registry protocol."""
