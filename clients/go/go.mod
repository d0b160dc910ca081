module repaint.example/client

go 1.22
