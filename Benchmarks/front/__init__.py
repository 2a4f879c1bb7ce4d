"""The gateway beside nginx and HAProxy: what is started, how it is asked, what is printed."""
