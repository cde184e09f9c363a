"""How one request gets to a server and back: checked addresses, connections, time limits, redirects. Begin with
transport.py; it knows no registry protocol.
"""
