"""Language models beside llama.cpp's server: what is started, how it is asked, what is printed."""
